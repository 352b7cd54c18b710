# Vouchers as Mirakl shows them, and HiPay's ledger as it was read.

section-vouchers = Vouchers

vouchers-lead = Every voucher that Mirakl has shown, whatever the calendar: what became of it, and who acts next where it has made no operation.
vouchers-search = Number, invoice, billing cycle or shop
vouchers-none = No voucher is known yet
vouchers-none-next = They appear with the next run of { command-cashout-generate }, which reads what Mirakl shows.
vouchers-state = State
vouchers-cycle = Cycle
vouchers-amount = Vendor’s amount
vouchers-commission = Commission
vouchers-made = Made on
vouchers-title = Voucher { $voucher }
vouchers-source = Source
vouchers-invoice = Invoice
vouchers-billing-cycle = Billing cycle
vouchers-changed = Mirakl shows now
vouchers-changed-amounts = { $vendor } for the vendor, { $operator } commission
vouchers-mirakl-state = Payment status in Mirakl
vouchers-provider = Payout provider
vouchers-operations = Operations
vouchers-released = A person has released it: the next run of { command-cashout-generate } makes its operations.
vouchers-story = What people decided
vouchers-note = { $choice }, by { $person }
vouchers-release-text = The next run of { command-cashout-generate } makes its operations, and they are paid like all others.
vouchers-settle-text = It was paid otherwise, or is not owed: no operation is ever made of it.
vouchers-changed-since = The voucher has changed since this was shown: look at it again. Nothing was changed.
voucher-state-operations = Has operations
voucher-state-held = Held
voucher-state-paid-elsewhere = Paid elsewhere
voucher-state-outside-cycles = Outside every cycle
voucher-state-nothing-to-pay = Nothing to pay
voucher-state-gone = Not shown by Mirakl any more
voucher-choice-release = Release
voucher-choice-settle = Settle
voucher-choice-unknown = A choice of a newer release

section-transactions = Transactions

transactions-title = HiPay transactions
transactions-lead = HiPay’s own list of what left and reached the accounts, as it was last read, and what each line is to an operation of this store.
transactions-search = Transaction or reference
transactions-none = HiPay’s list was not read yet
transactions-none-next = It is read before money is sent, and once a day for the accounts that were paid from.
transactions-id = Transaction
transactions-account = Account
transactions-kind = Type
transactions-status = HiPay’s status
transactions-reference = Reference and label
transactions-match = Matched
transactions-operation = Operation
ledger-match-matched = One of ours
ledger-match-foreign = Not ours
ledger-match-orphan = Ours, but unknown here
ledger-match-mismatch = Ours, with another amount
ledger-match-unknown = Written by a newer release
