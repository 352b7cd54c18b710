# Un vendeur.

vendor-title = Boutique { $shop }
vendor-email = E-mail du compte
vendor-identification = Identification
vendor-is-identified = identifié
vendor-is-not-identified = non identifié
vendor-bank = Coordonnées bancaires
vendor-as-of = au
vendor-vat = Numéro de TVA
vendor-first-seen = Première apparition
vendor-changed = Dernier changement
vendor-blocked-by-us = bloqués par cashout tant que HiPay n’a pas validé les coordonnées bancaires
vendor-suspended-by-us = boutique suspendue dans Mirakl par cashout, car HiPay a refusé les coordonnées bancaires
vendor-wrong = Ce qui bloque
vendor-nothing-wrong = Rien ne s’oppose au paiement de ce vendeur.
vendor-by = Qui doit agir :
vendor-operations = Virements et retraits
vendor-operations-none = Aucune opération pour cette boutique pour l’instant.
vendor-operations-all = Tous les virements et retraits de cette boutique
vendor-notifications = Notifications
vendor-notifications-none = Aucune notification sur ce compte pour l’instant.
vendor-lines = Lignes du journal
vendor-lines-none = Aucune ligne du journal sur cette boutique.
vendor-lines-all = Toutes les lignes du journal de cette boutique
vendor-line-level = Type d’information
vendor-line-action = Action
vendor-line-message = Message
