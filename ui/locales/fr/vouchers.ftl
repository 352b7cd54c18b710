# Les bons de paiement tels que Mirakl les affiche, et le registre de HiPay tel qu’il a été lu.

section-vouchers = Bons de paiement

vouchers-lead = Tous les bons de paiement que Mirakl a affichés, quel que soit le calendrier : leur état, et qui doit agir s’ils n’ont pas d’opération.
vouchers-search = Numéro, facture, transaction ou boutique
vouchers-none = Aucun bon de paiement pour l’instant
vouchers-none-next = Ils apparaissent avec la prochaine exécution de « { command-cashout-generate } », qui les lit dans Mirakl.
vouchers-state = État
vouchers-cycle = Cycle
vouchers-amount = Montant du vendeur
vouchers-commission = Commission
vouchers-made = Créé le
vouchers-title = Bon de paiement { $voucher }
vouchers-source = Source
vouchers-invoice = Facture
vouchers-billing-cycle = Cycle de facturation
vouchers-changed = Mirakl affiche maintenant
vouchers-changed-amounts = { $vendor } pour le vendeur, { $operator } de commission
vouchers-mirakl-state = Statut de paiement dans Mirakl
vouchers-provider = Prestataire de paiement
vouchers-operations = Opérations
vouchers-released = Un opérateur l’a libéré : la prochaine exécution de « { command-cashout-generate } » crée ses opérations.
vouchers-story = Décisions
vouchers-note = { $choice }, par { $person }
vouchers-release-text = La prochaine exécution de « { command-cashout-generate } » crée ses opérations, qui sont payées comme toutes les autres.
vouchers-settle-text = Il a été payé autrement, ou n’est pas dû : aucune opération n’en est jamais créée.
vouchers-changed-since = Le bon de paiement a changé depuis cet affichage : vérifiez-le. Rien n’a été modifié.
voucher-state-operations = A des opérations
voucher-state-held = Retenu
voucher-state-paid-elsewhere = Payé ailleurs
voucher-state-outside-cycles = Hors de tout cycle
voucher-state-nothing-to-pay = Rien à payer
voucher-state-gone = N’est plus affiché par Mirakl
voucher-choice-release = Libérer
voucher-choice-settle = Clôturer
voucher-choice-unknown = Un choix d’une version plus récente

section-transactions = Transactions

transactions-title = Transactions HiPay
transactions-lead = La liste HiPay des sommes sorties des comptes et entrées dans ceux-ci, telle que lue en dernier, avec l’opération à laquelle chaque ligne appartient.
transactions-search = Transaction ou référence
transactions-none = La liste de HiPay n’a pas encore été lue
transactions-none-next = Elle est lue avant tout envoi d’argent, et une fois par jour pour les comptes qui ont payé.
transactions-id = Transaction
transactions-account = Compte
transactions-kind = Type
transactions-status = Statut HiPay
transactions-reference = Référence et libellé
transactions-match = Rapprochement
transactions-operation = Opération
ledger-match-matched = L’une des nôtres
ledger-match-foreign = Pas la nôtre
ledger-match-orphan = La nôtre, mais inconnue ici
ledger-match-mismatch = La nôtre, d’un autre montant
ledger-match-unknown = Écrit par une version plus récente
