# Les pages.

frame-skip = Aller au contenu
frame-navigation = Rubriques du tableau de bord
frame-demo-title = Démonstration
frame-demo = Démonstration : aucun argent ne circule, et le temps passe { $speed } fois plus vite que d’ordinaire. Cette page date du { $now }.

section-vendors = Vendeurs
section-transfers = Virements et retraits

sign-in = Se connecter
sign-in-title = Connexion à cashout
sign-in-lead = Vous voyez ici comment vos vendeurs sont payés par HiPay :
sign-in-purpose-statuses = le statut de vos vendeurs, des virements et des retraits ;
sign-in-purpose-rerun = ce qui a échoué, et comment le relancer ;
sign-in-purpose-together = toutes les données échangées entre HiPay et Mirakl, en un seul endroit.
sign-in-login = Identifiant web service HiPay
sign-in-password = Mot de passe
sign-in-hint = Utilisez les identifiants web service HiPay du compte technique, ou le nom que votre administrateur vous a donné.
sign-out = Se déconnecter
sign-out-everywhere = Se déconnecter partout

sign-in-undone = Votre session avait pris fin : rien n’a été modifié. Connectez-vous et recommencez.
sign-in-wrong = L’identifiant ou le mot de passe est faux.
sign-in-wait = Trop d’essais ont échoué. Réessayez dans { $wait }.
sign-in-in-the-clear = Votre mot de passe ne doit pas circuler en clair : ouvrez l’adresse https de ce tableau de bord. Si c’est déjà elle, le proxy placé devant doit figurer dans server.trustedProxies et envoyer X-Forwarded-Proto.
sign-in-unavailable = La connexion est impossible pour l’instant. Réessayez.

password-title = Ce mot de passe se devine facilement
password-short = Votre mot de passe a moins de 12 caractères.
password-well-known = Votre mot de passe est de ceux que l’on essaie en premier.
password-mend = Quiconque le connaît peut lancer des traitements et voir ce que vos vendeurs reçoivent. Faites-le changer : chez HiPay pour le web service, ou dans dashboard.users pour un nom à vous.
password-go-on = Continuer vers le tableau de bord

filter-beneficiary = Bénéficiaire
filter-stage = Étape
filter-actor = Qui doit agir
filter-search = Recherche
filter-all = Tous
filter-from = Du
filter-to = Au
filter-rows = Lignes
filter-apply = Filtrer
filter-reset = Tout afficher

sort-latest-first = Afficher les plus récents d’abord
sort-earliest-first = Afficher les plus anciens d’abord

list-total = { $number ->
    [one] { $shown } ligne
   *[other] { $shown } lignes
}
list-total-at-least = au moins { $shown } lignes
list-pages = Pages
list-before = ← Précédent
list-after = Suivant →
list-export = Exporter en CSV
list-wrong = Ce filtre ne peut pas être utilisé
list-no-match = Rien ne correspond à ces filtres
list-no-match-next = Élargissez-les, ou

show-message = Afficher le message
show-details = Afficher le détail

mirakl-id = ID Mirakl
hipay-id = ID HiPay
date = Date

vendors-lead = Chaque vendeur de la place de marché avec son compte HiPay. Un avertissement dit ce qui ne va pas et ce qu’il faut faire.
vendors-search = ID, ou partie du nom, de l’identifiant ou de l’e-mail
vendors-none = Aucun vendeur pour l’instant
vendors-none-next = Les vendeurs apparaissent dès que le traitement « Création des comptes HiPay » a été exécuté : selon sa planification, ou depuis les paramètres.
vendor-name = Boutique
vendor-login = Identifiant
vendor-status = Statut
vendor-wallet-status = Statut du compte
vendor-country = Pays
vendor-payments = Paiements
vendor-documents = Justificatifs envoyés
vendor-disabled = hors HiPay
vendor-blocked = bloqués
vendor-paid = ouverts

documents-of = Justificatifs de la boutique { $shop }
documents-live = Tels que HiPay les affiche,
documents-last-known = HiPay ne répond pas pour l’instant. Voici le dernier statut connu des justificatifs envoyés.
documents-refused = HiPay refuse de les afficher. Voici le dernier statut connu des justificatifs envoyés ; réponse de HiPay :
documents-no-wallet = Il n’y a pas encore de compte, donc rien n’a été envoyé.
documents-none = Aucun justificatif n’a été envoyé.
documents-back = Retour aux vendeurs

transfers-lead = Chaque montant dû : du compte de la place de marché vers le compte HiPay du vendeur (virement), et de là vers la banque (retrait).
transfers-search = ID, numéro, référence ou boutique
transfers-none = Aucune opération pour l’instant
transfers-none-next = « Génération des opérations » crée les opérations à partir des bons de paiement de Mirakl.
payment-order-id = ID du bon de paiement
amount = Montant
origin-amount = Montant d’origine
transfer-status = Statut du virement
withdraw-status = Statut du retrait
balance = Solde
beneficiary = Bénéficiaire
held = à traiter
settled = clôturée

operation-title = Bon de paiement { $voucher }
operation-cycle = Cycle
operation-invoice = Facture
operation-number = Opération
operation-shortfall = Non retiré : solde insuffisant
operation-netting = Compensation
operation-adjusts = déduit l’opération { $operation }
operation-adjusted-by = déduite de l’opération { $operation }
operation-story = Ce qui s’est passé
story-made = Créée à partir du bon de paiement { $voucher }
story-noted = Note
story-sent = { $kind } envoyé à HiPay : { $state }
story-told = Notification HiPay : { $action }
story-reference = Référence
story-account = Compte HiPay
story-transaction = Transaction HiPay
story-hipay-status = Statut HiPay
story-notification = Notification

status = Statut
operation-told = Statut et suite à donner
choices = Ce que vous pouvez faire
choice-reason = Motif
choice-transaction = Transaction chez HiPay
choice-release-title = Libérer
choice-release-text = Les prochaines exécutions la traitent et la paient si rien d’autre ne s’y oppose ; un retrait annulé doit en plus être relancé. Si Mirakl affiche désormais un autre montant, c’est celui-ci qui est payé. Si elle était retenue à cause d’un autre paiement chez HiPay, celui-ci ne compte pas comme le sien.
choice-hold-title = Retenir
choice-hold-text = Rien de plus n’en est envoyé tant que personne ne la libère. Ce qui est en cours chez HiPay se poursuit.
choice-accept-title = Accepter un paiement
choice-accept-text = Un paiement affiché par HiPay compte comme celui de cette opération, avec son montant, et n’est pas refait. Le reste devient une opération à part, qui est retenue.
choice-settle-title = Clôturer
choice-settle-text = Elle a été payée autrement, ou n’est pas due : cashout ne la paie jamais.
retry-title = Relancer
retry-all = Relancer
retry-back = Retour
retry-nothing = Aucune n’a échoué : il n’y a rien à relancer.
retry-changed = Quelque chose a changé depuis l’affichage. Vérifiez avant de confirmer.
retry-count = { $number ->
    [one] { $shown } opération
   *[other] { $shown } opérations
}
retry-waiting = { $number ->
    [one] { $shown } est à traiter et sera libérée
   *[other] { $shown } sont à traiter et seront libérées
}
retry-transfers = { $number ->
    [one] { $shown } sera envoyée par la prochaine exécution de « { command-cashout-transfer } »
   *[other] { $shown } seront envoyées par la prochaine exécution de « { command-cashout-transfer } »
}
retry-withdrawals = { $number ->
    [one] { $shown } sera envoyée par la prochaine exécution de « { command-cashout-withdraw } »
   *[other] { $shown } seront envoyées par la prochaine exécution de « { command-cashout-withdraw } »
}
retry-safe = Rien n’est payé deux fois : cashout recherche l’issue chez HiPay avant tout nouvel envoi.
retry-now = Exécuter tout de suite, sans attendre l’heure prévue
retry-cancel = Annuler
retry-more = et { $shown } de plus
choice-list = Opérations
choice-none = Cette action ne change aucune de ces opérations.
chosen-title = { $choice } : résultat
chosen-by = Demandé par { $person } le { $time }.
chosen-going-on = en cours ; cette page s’actualise d’elle-même
chosen-next = envoyées par les prochaines exécutions
chosen-over = situation actuelle
chosen-failed = { $number ->
    [one] { $shown } en échec
   *[other] { $shown } en échec
}
chosen-refused = Non modifiées

section-overview = Vue d’ensemble
funds-title = Compte technique
funds-ask = Demander le solde à HiPay
funds-cover = couvre ce qui est dû
funds-short = ne couvre pas ce qui est dû
funds-due = { $amount } à virer
funds-unknown = HiPay ne communique pas le solde pour l’instant.
overview-held = À traiter
overview-held-none = Rien à traiter.
overview-troubles = Problèmes en cours
overview-since = depuis le
overview-vendors = Vendeurs à surveiller
overview-vendors-none = Aucun vendeur à surveiller.
overview-vendors-all = Tous les vendeurs avec un avertissement
overview-no-cycle = Aucun cycle pour l’instant
overview-cycle = Cycle du { $day }
overview-reasons = Montants retenus, par motif
overview-batches = Traitements
overview-batch = Traitement
overview-last-run = Dernière exécution
overview-next-run = Prochaine exécution
overview-never = jamais
overview-off = désactivé
overview-cycles = Cycles récents
overview-progress = Avancement
overview-operations = Opérations
stage-to-transfer = À virer
stage-transferring = Virement en cours
stage-in-wallets = Sur les comptes HiPay
stage-withdrawing = Retrait en cours
stage-withdrawn = Retiré vers la banque
stage-held-back = Retenu
stage-held = Sans opération
stage-paid-elsewhere = Payé ailleurs
stage-outside-cycles = Hors de tout cycle
stage-netted = Compensé
stage-nothing-to-pay = Rien à payer
stage-settled = Clôturé comme payé autrement

section-todo = À traiter
todo-lead = Tout ce qui n’est pas encore payé, selon qui doit agir et pourquoi.
todo-none = Aucun impayé connu
todo-none-next = Les nouvelles opérations figurent ici jusqu’à l’arrivée de l’argent à la banque.
todo-total = { $number ->
    [one] { $shown } opération ou bon de paiement non payé
   *[other] { $shown } opérations et bons de paiement non payés
}
todo-vouchers = { $number ->
    [one] { $shown } bon de paiement
   *[other] { $shown } bons de paiement
}
todo-actor-marketplace = À la place de marché d’agir
todo-actor-vendor = Au vendeur d’agir
todo-actor-hipay = À HiPay d’agir : contacter son support
todo-actor-administrator = À l’administrateur de cashout d’agir
todo-actor-nobody = En cours, aucune action nécessaire
todo-being-built = La liste est en préparation après une mise à jour. Rechargez cette page dans quelques minutes.
todo-actor-outside = Payé hors de cashout
todo-reason = Motif
todo-count = Nombre
todo-commission = commission { $amount }
todo-oldest = Plus ancien
todo-action = Action
todo-retry = Relancer
todo-show = Afficher
overview-todo = { $number ->
    [one] { $shown } opération ou bon de paiement à traiter
   *[other] { $shown } opérations et bons de paiement à traiter
}

trouble-title = Cela n’a pas fonctionné
trouble-not-found = Il n’y a rien ici
trouble-back = Vers le tableau de bord
explanation-actor = { $actor } :
