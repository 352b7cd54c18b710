# The pages.

frame-skip = Skip to the content
frame-navigation = Parts of the dashboard
frame-demo-title = Demo
frame-demo = Demo: no money moves, and time runs { $speed } times as fast as usual. This page shows { $now }.

section-vendors = Vendors
section-transfers = Transfers & withdrawals

sign-in = Sign in
sign-in-title = Sign in to cashout
sign-in-lead = Here you see how your sellers are paid through HiPay:
sign-in-purpose-statuses = the statuses of your vendors, transfers and withdrawals;
sign-in-purpose-rerun = what failed, and how to run it again;
sign-in-purpose-together = all data exchanged between HiPay and Mirakl, in one place.
sign-in-login = HiPay web service login
sign-in-password = Password
sign-in-hint = Use the HiPay web service credentials of the technical account, or the name that your administrator gave you.
sign-out = Sign out
sign-out-everywhere = Sign out everywhere

sign-in-undone = Your session had ended: nothing was changed. Sign in and repeat it.
sign-in-wrong = The login or the password is wrong.
sign-in-wait = Too many attempts have failed. Try again in { $wait }.
sign-in-in-the-clear = Your password must not be sent unencrypted: open the https address of this dashboard. If this is that address, the proxy in front of it must be named in server.trustedProxies and send X-Forwarded-Proto.
sign-in-unavailable = Sign-in is not available at the moment. Try again.

password-title = This password is easily guessed
password-short = Your password has fewer than 12 characters.
password-well-known = Your password is one of those that attackers try first.
password-mend = Anyone who has it can run batches and see what your sellers are paid. Have it changed: at HiPay for the web service, or in dashboard.users for a name of your own.
password-go-on = Continue to the dashboard

filter-beneficiary = Beneficiary
filter-stage = Stage
filter-actor = Who has to act
filter-search = Search
filter-all = All
filter-from = From
filter-to = To
filter-rows = Rows
filter-apply = Filter
filter-reset = Show all

sort-latest-first = Show the latest first
sort-earliest-first = Show the earliest first

list-total = { $number ->
    [one] { $shown } row
   *[other] { $shown } rows
}
list-total-at-least = at least { $shown } rows
list-pages = Pages
list-before = ← Previous
list-after = Next →
list-export = Export to CSV
list-wrong = This filter cannot be used
list-no-match = Nothing matches these filters
list-no-match-next = Widen them, or

show-message = Show message
show-details = Show details

mirakl-id = Mirakl ID
hipay-id = HiPay ID
date = Date

vendors-lead = Every seller of the marketplace with its HiPay wallet. A warning says what is wrong and what to do.
vendors-search = ID, or a part of name, login or e-mail
vendors-none = No vendors yet
vendors-none-next = Vendors appear once “Wallet account creation” has run: on schedule, or from the settings.
vendor-name = Shop
vendor-login = Login
vendor-status = Status
vendor-wallet-status = Wallet account status
vendor-country = Country
vendor-payments = Payments
vendor-documents = Documents sent
vendor-disabled = not through HiPay
vendor-blocked = blocked
vendor-paid = open

documents-of = Documents of shop { $shop }
documents-live = As HiPay shows them,
documents-last-known = HiPay does not answer at the moment. These are the last known statuses of the documents that were sent.
documents-refused = HiPay does not show them. These are the last known statuses of the documents that were sent; HiPay says:
documents-no-wallet = There is no wallet yet, so nothing was sent.
documents-none = No document was sent.
documents-back = Back to the vendors

transfers-lead = Every amount that is owed: from the marketplace’s account to the wallet (transfer), and from there to the bank (withdrawal).
transfers-search = ID, number, reference or shop
transfers-none = No operations yet
transfers-none-next = “Generate operations” creates operations from Mirakl’s payment vouchers.
payment-order-id = Payment order Id
amount = Amount
origin-amount = Origin amount
transfer-status = Transfer status
withdraw-status = Withdraw status
balance = Balance
beneficiary = Beneficiary
held = needs action
settled = settled

operation-title = Payment order { $voucher }
operation-cycle = Cycle
operation-invoice = Invoice
operation-number = Operation
operation-shortfall = Not withdrawn: insufficient balance
operation-netting = Netting
operation-adjusts = deducts operation { $operation }
operation-adjusted-by = deducted from operation { $operation }
operation-story = What happened
story-made = Created from payment order { $voucher }
story-noted = Note
story-sent = { $kind } sent to HiPay: { $state }
story-told = HiPay notification: { $action }
story-reference = Reference
story-account = HiPay account
story-transaction = HiPay transaction
story-hipay-status = HiPay status
story-notification = Notification

status = Status
operation-told = Status and next step
choices = What you can do
choice-reason = Reason
choice-transaction = Transaction at HiPay
choice-release-title = Release
choice-release-text = The next runs process it, and pay it if nothing else prevents it; a canceled withdrawal also needs a retry. If Mirakl now shows a different amount, that amount is paid. If it was held for another payment at HiPay, that payment does not count as its own.
choice-hold-title = Hold
choice-hold-text = Nothing more of it is sent until someone releases it. Payments under way at HiPay continue.
choice-accept-title = Accept a payment
choice-accept-text = A payment that HiPay shows counts as the payment of this operation, with its amount, and is not made again. The rest becomes a separate operation, which is held.
choice-settle-title = Settle
choice-settle-text = It was paid by other means, or is not owed: cashout never pays it.
retry-title = Retry
retry-all = Retry
retry-back = Back
retry-nothing = None of these failed: there is nothing to retry.
retry-changed = Something has changed since this page was shown. Check it again before you confirm.
retry-count = { $number ->
    [one] { $shown } operation
   *[other] { $shown } operations
}
retry-waiting = { $number ->
    [one] { $shown } needs action and is released
   *[other] { $shown } need action and are released
}
retry-transfers = { $number ->
    [one] { $shown } is sent by the next run of { command-cashout-transfer }
   *[other] { $shown } are sent by the next run of { command-cashout-transfer }
}
retry-withdrawals = { $number ->
    [one] { $shown } is sent by the next run of { command-cashout-withdraw }
   *[other] { $shown } are sent by the next run of { command-cashout-withdraw }
}
retry-safe = Nothing is paid twice: cashout looks up the outcome at HiPay before it sends anything again.
retry-now = Run now instead of at the next scheduled time
retry-cancel = Cancel
retry-more = and { $shown } more
choice-list = Operations
choice-none = This action changes none of these operations.
chosen-title = { $choice }: result
chosen-by = Requested by { $person } on { $time }.
chosen-going-on = in progress; this page refreshes by itself
chosen-next = sent by the next runs
chosen-over = current status
chosen-failed = { $number ->
    [one] { $shown } failed
   *[other] { $shown } failed
}
chosen-refused = Not changed

section-overview = Overview
funds-title = Technical account
funds-ask = Ask HiPay for the balance
funds-cover = covers what is due
funds-short = does not cover what is due
funds-due = { $amount } to be transferred
funds-unknown = HiPay does not report the balance at the moment.
overview-held = Needs action
overview-held-none = Nothing needs action.
overview-troubles = Open problems
overview-since = since
overview-vendors = Vendors that need attention
overview-vendors-none = No vendor needs attention.
overview-vendors-all = All vendors with a warning
overview-no-cycle = No cycles yet
overview-cycle = Cycle of { $day }
overview-reasons = Held back, by reason
overview-batches = Batches
overview-batch = Batch
overview-last-run = Last run
overview-next-run = Next run
overview-never = never
overview-off = switched off
overview-cycles = Recent cycles
overview-progress = Progress
overview-operations = Operations
stage-to-transfer = To transfer
stage-transferring = Being transferred
stage-in-wallets = In the wallets
stage-withdrawing = Being withdrawn
stage-withdrawn = Withdrawn to the bank
stage-held-back = Held back
stage-held = No operation yet
stage-paid-elsewhere = Paid elsewhere
stage-outside-cycles = Outside every cycle
stage-netted = Netted
stage-nothing-to-pay = Nothing to pay
stage-settled = Settled as paid by other means

section-todo = To do
todo-lead = Everything that is not paid yet, by who has to act and why.
todo-none = Nothing unpaid is known
todo-none-next = New operations appear here until their money is at the bank.
todo-total = { $number ->
    [one] { $shown } operation or voucher not paid
   *[other] { $shown } operations and vouchers not paid
}
todo-vouchers = { $number ->
    [one] { $shown } voucher
   *[other] { $shown } vouchers
}
todo-actor-marketplace = The marketplace has to act
todo-actor-vendor = The vendor has to act
todo-actor-hipay = HiPay has to act: contact its support
todo-actor-administrator = The administrator of cashout has to act
todo-actor-nobody = In progress, no action needed
todo-being-built = The list is being prepared after an update. Reload this page in a few minutes.
todo-actor-outside = Paid outside cashout
todo-reason = Reason
todo-count = Number
todo-commission = commission { $amount }
todo-oldest = Oldest
todo-action = Action
todo-retry = Retry
todo-show = Show
overview-todo = { $number ->
    [one] { $shown } operation or voucher needs action
   *[other] { $shown } operations and vouchers need action
}

trouble-title = This did not work
trouble-not-found = There is nothing here
trouble-back = To the dashboard
explanation-actor = { $actor }:
