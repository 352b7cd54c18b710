# Les courriels : alertes et résumé quotidien.

alert-subject = { $subject } : { $worst }, { $lines ->
    [one] { $lines } ligne
   *[other] { $lines } lignes
}
alert-intro = cashout sur { $host } a consigné { $lines ->
    [one] une ligne
   *[other] { $lines } lignes
} à votre niveau d’alerte ou au-dessus, de { $first } à { $last }.
alert-by-level = Par niveau : { $levels }
alert-shops = Boutiques : { $shops }
alert-vouchers = Bons de paiement : { $vouchers }
alert-count = { $count ->
    [one] une fois, à { $last }
   *[other] { $count } fois, la dernière à { $last }
}
alert-more = Et { $groups ->
    [one] un autre message
   *[other] { $groups } autres messages
} avec { $lines ->
    [one] une ligne
   *[other] { $lines } lignes
} ; le journal les contient toutes.
alert-outro = Le prochain message sur des lignes semblables viendra dans { $minutes } minutes au plus tôt.
trouble-subject = { $subject } : { $level }, { $message }
trouble-over-subject = Résolu : { $message }
trouble-open = cashout sur { $host } rencontre un problème depuis le { $since }{ $times ->
    [one]  :
   *[other] , constaté { $times } fois, la dernière le { $last } :
}
trouble-outro = Un message suivra quand il sera résolu. D’ici là, le même problème est signalé une fois par jour au plus.
trouble-over = Résolu le { $until } : cashout sur { $host } ne rencontre plus ce problème, apparu le { $since } :
trouble-over-outro = Aucune action n’est plus nécessaire.

digest-subject = { $subject } : résumé du { $day }
digest-intro = Ce que cashout sur { $host } a fait le { $day }.
digest-batches = Traitements
digest-no-batches = Aucun traitement n’a été exécuté.
digest-batch = { $command } : { $runs ->
    [one] une exécution
   *[other] { $runs } exécutions
}, { $ended_early ->
    [0] aucune interrompue
    [one] une interrompue
   *[other] { $ended_early } interrompues
}, { $failed ->
    [0] aucun élément en échec
    [one] un élément en échec
   *[other] { $failed } éléments en échec
}
digest-operations = Opérations modifiées, selon leur statut actuel
digest-no-operations = Aucune opération n’a été modifiée.
digest-operation = { $status } : { $count }, { $sums }
digest-vendors = Vendeurs à examiner
digest-no-vendors = Aucun vendeur n’est à examiner.
digest-vendor-count = { $count ->
    [one] Un vendeur
   *[other] { $count } vendeurs
} : { $shops }
digest-more = …
digest-log = Lignes du journal à partir du niveau avertissement
digest-no-log = Ni avertissement ni erreur.
digest-log-level = { $level } : { $count }
digest-at-least = plus de { $count }
digest-notifications = Notifications de HiPay
digest-notifications-text = { $unmatched ->
    [0] Aucune n’est restée sans correspondance
    [one] Une est restée sans correspondance
   *[other] { $unmatched } sont restées sans correspondance
} ; { $waiting ->
    [0] aucune n’attend
    [one] une attend
   *[other] { $waiting } attendent
}.
dashboard-link = Tableau de bord : { $url }

level-debug = DÉBOGAGE
level-info = INFORMATION
level-notice = REMARQUE
level-warning = AVERTISSEMENT
level-error = ERREUR
level-critical = CRITIQUE
level-alert = ALERTE
level-emergency = URGENCE
