# Vouchers as Mirakl shows them, and HiPay's ledger as last read.

section-vouchers = Vouchers

vouchers-lead = Every voucher that Mirakl has shown, whatever the calendar: its state, and who acts next if it has no operations.
vouchers-search = Number, invoice, transaction or shop
vouchers-none = No vouchers yet
vouchers-none-next = They appear with the next run of { command-cashout-generate }, which reads them from Mirakl.
vouchers-state = State
vouchers-cycle = Cycle
vouchers-amount = Vendor’s amount
vouchers-commission = Commission
vouchers-made = Created on
vouchers-title = Voucher { $voucher }
vouchers-source = Source
vouchers-invoice = Invoice
vouchers-billing-cycle = Billing cycle
vouchers-changed = Mirakl now shows
vouchers-changed-amounts = { $vendor } for the vendor, { $operator } commission
vouchers-mirakl-state = Payment status in Mirakl
vouchers-provider = Payout provider
vouchers-operations = Operations
vouchers-released = An operator has released it: the next run of { command-cashout-generate } creates its operations.
vouchers-story = Decisions
vouchers-note = { $choice }, by { $person }
vouchers-release-text = The next run of { command-cashout-generate } creates its operations, which are paid like all others.
vouchers-settle-text = It was paid by other means, or is not owed: no operation is ever created from it.
vouchers-changed-since = The voucher has changed since this page was shown: check it again. Nothing was changed.
voucher-state-operations = Has operations
voucher-state-held = Held
voucher-state-paid-elsewhere = Paid elsewhere
voucher-state-outside-cycles = Outside every cycle
voucher-state-nothing-to-pay = Nothing to pay
voucher-state-gone = No longer shown by Mirakl
voucher-choice-release = Release
voucher-choice-settle = Settle
voucher-choice-unknown = A choice of a newer release

section-transactions = Transactions

transactions-title = HiPay transactions
transactions-lead = HiPay’s own list of money in and out of the accounts, as last read, with the operation that each line belongs to.
transactions-search = Transaction or reference
transactions-none = HiPay’s list has not been read yet
transactions-none-next = It is read before money is sent, and once a day for the accounts that have paid.
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
