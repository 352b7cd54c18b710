# Cycles: what became of their vouchers.

section-cycles = Cycles

cycles-lead = One row per cycle: what the vouchers owe, what has reached wallets and banks, and what is held back.
cycles-all = All cycles
cycles-none = No cycles yet
cycles-total = { $number ->
    [one] { $shown } cycle
   *[other] { $shown } cycles
}
cycles-outside = { $number ->
    [one] { $shown } voucher is outside every cycle
   *[other] { $shown } vouchers are outside every cycle
}
cycles-vouchers = Vouchers
cycles-transferred = Transferred
cycles-in-progress = In progress
cycle-state-open = Open
cycle-state-needs-action = Needs action
cycle-state-in-progress = In progress
cycle-state-paid = Paid
cycle-state-nothing-due = Nothing due

cycle-window = Vouchers created from { $from } to { $to }
cycle-others = Other cycles
cycle-as-of = { $marketplace } · as of { $at }
cycle-sheet = Vouchers and payments
cycle-sheet-of = Vouchers and payments in { $currency }
cycle-stage = Stage
cycle-number = Number
cycle-vendors = Vendors
cycle-commissions = Commissions
cycle-total = Total
cycle-mirakl = Vouchers in Mirakl
cycle-settled-vouchers = Vouchers settled as paid by other means
cycle-deducted = Deducted for debts
cycle-increased = Paid above the vouchers
cycle-sum = Sum
cycle-equal = Each sum equals the vouchers in Mirakl.
cycle-differs = The sum differs from the vouchers in Mirakl: { $amount }
cycle-shortfall = Not withdrawn for lack of balance, included in “{ stage-withdrawn }”:
cycle-unpaid = Not paid, by reason
cycle-unpaid-none = Everything that cashout has to pay is paid.
cycle-export-operations = Export operations to CSV
cycle-export-vouchers = Export vouchers to CSV

filter-currency = Currency
filter-difference = Difference from the voucher
difference-deducted = Debts deducted
difference-increased = Larger payment accepted
