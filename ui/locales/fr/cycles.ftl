# Les cycles, et ce que sont devenus leurs bons de paiement.

section-cycles = Cycles

cycles-lead = Une ligne par cycle : les montants dus, ce qui est arrivé sur les comptes HiPay et à la banque, et ce qui est retenu.
cycles-all = Tous les cycles
cycles-none = Aucun cycle pour l’instant
cycles-total = { $number ->
    [one] { $shown } cycle
   *[other] { $shown } cycles
}
cycles-outside = { $number ->
    [one] { $shown } bon de paiement hors de tout cycle
   *[other] { $shown } bons de paiement hors de tout cycle
}
cycles-vouchers = Bons de paiement
cycles-transferred = Viré
cycles-in-progress = En cours
cycle-state-open = Ouvert
cycle-state-needs-action = À traiter
cycle-state-in-progress = En cours
cycle-state-paid = Payé
cycle-state-nothing-due = Rien à payer

cycle-window = Bons de paiement créés du { $from } au { $to }
cycle-others = Autres cycles
cycle-as-of = { $marketplace } · état au { $at }
cycle-sheet = Bons de paiement et règlements
cycle-sheet-of = Bons de paiement et règlements en { $currency }
cycle-stage = Étape
cycle-number = Nombre
cycle-vendors = Vendeurs
cycle-commissions = Commissions
cycle-total = Total
cycle-mirakl = Bons de paiement dans Mirakl
cycle-settled-vouchers = Bons de paiement clôturés comme payés autrement
cycle-deducted = Déduit pour compenser des dettes
cycle-increased = Payé au-delà des bons de paiement
cycle-sum = Somme
cycle-equal = Chaque somme est égale aux bons de paiement dans Mirakl.
cycle-differs = La somme diffère des bons de paiement dans Mirakl : { $amount }
cycle-shortfall = Non retiré faute de solde, compris dans « { stage-withdrawn } » :
cycle-unpaid = Non payé, par motif
cycle-unpaid-none = Tout ce que cashout doit payer est payé.
cycle-export-operations = Exporter les opérations en CSV
cycle-export-vouchers = Exporter les bons de paiement en CSV

filter-currency = Devise
filter-difference = Écart avec le bon de paiement
difference-deducted = Dettes déduites
difference-increased = Paiement supérieur accepté
