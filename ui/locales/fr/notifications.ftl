# Les notifications de HiPay.

section-notifications = Notifications

notifications-lead = Toutes les notifications de HiPay dont la signature est valable : leur contenu et leur résultat.
notifications-search = Transaction ou référence
notifications-none = Aucune notification pour l’instant
notifications-none-next = Enregistrez cette adresse chez HiPay : /notifications/wallet pour les comptes et les virements, /notifications/enterprise pour les paiements.
notifications-received = Reçue
notifications-kind = Type
notifications-action = Action
notifications-state = État
notifications-about = Objet
notifications-account = compte { $account }
notifications-repeats = Répétitions
notifications-message = Résultat

notification-title = Notification { $number }
notification-transaction = Transaction
notification-hipay-account = Compte HiPay
notification-repeated-at = Répétée pour la dernière fois
notification-tries = Essais
notification-try-at = Prochain essai
notification-ended-at = Traitée le
notification-done = Résultat
notification-payment = Paiement { $reference }
notification-operation = Bon de paiement { $voucher }
notification-vendor = Boutique { $shop }
notification-body = Contenu
notification-body-lead = Tel qu’il a été vérifié ; les numéros de carte sont masqués.
notification-body-whole = Afficher en entier ({ $shown } caractères)
notification-body-gone = Le contenu a été supprimé au terme de sa durée de conservation.

replay = Rejouer
replay-lead = Elle est traitée de nouveau, maintenant, comme si elle venait d’arriver. Son effet ne compte qu’une fois.
replay-look = Voir l’état actuel
replayed-again = Elle est en cours de nouveau traitement.
replayed-had-its-effect = Elle a déjà produit son effet : rien n’a été refait.
replayed-emptied = Son contenu n’est plus conservé : elle ne peut pas être traitée de nouveau.
replayed-unknown = Une version ultérieure l’a traitée d’une manière inconnue de celle-ci : rien n’a été changé.

refused-none = Aucune n’a été refusée depuis le démarrage de ce service, { $since }.
refused-some = { $number ->
    [one] { $shown } notification a été refusée
   *[other] { $shown } notifications ont été refusées
} depuis le démarrage de ce service, { $since } : { $why }.
refused-forged = { $number ->
    [one] { $shown } sans signature valable de HiPay
   *[other] { $shown } sans signature valable de HiPay
}
refused-unreadable = { $number ->
    [one] { $shown } illisible
   *[other] { $shown } illisibles
}
refused-too-large = { $number ->
    [one] { $shown } trop volumineuse
   *[other] { $shown } trop volumineuses
}
refused-turned-away = { $number ->
    [one] { $shown } écartée pour l’instant
   *[other] { $shown } écartées pour l’instant
}
