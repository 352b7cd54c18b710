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
sign-in-purpose-together = everything that HiPay and Mirakl have told each other, in one place.
sign-in-login = HiPay web service login
sign-in-password = Password
sign-in-hint = Use the HiPay web service credentials of the technical account, or the name that your administrator gave you.
sign-out = Sign out
sign-out-everywhere = Sign out everywhere

sign-in-wrong = The login or the password is wrong.
sign-in-wait = Too many attempts have failed. Try again in { $wait }.
sign-in-in-the-clear = Your password is not to be sent in the clear: open the https address of this dashboard. If this is the one, the proxy in front of it has to be named in server.trustedProxies and to send X-Forwarded-Proto.
sign-in-unavailable = Nobody can be signed in at the moment. Try again.

password-title = This password is easily guessed
password-short = Your password has fewer than 12 characters.
password-well-known = Your password is one of those that are tried first.
password-mend = Whoever has it can run batches and see what your sellers are paid. Have it changed: at HiPay for the web service, or in dashboard.users for a name of your own.
password-go-on = Go on to the dashboard

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
vendors-search = Mirakl ID, HiPay ID or login
vendors-none = There is no vendor yet
vendors-none-next = Vendors appear once “Wallet account creation” has run: by its schedule, or from the settings.
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
documents-last-known = HiPay does not answer at the moment. This is what was last known of what we sent.
documents-refused = HiPay does not show them. This is what was last known of what we sent; HiPay says:
documents-no-wallet = There is no wallet yet, so nothing was sent.
documents-none = No document was sent.
documents-back = Back to the vendors

transfers-lead = Every amount that is owed: from the marketplace’s account to the wallet (transfer), and from there to the bank (withdrawal).
transfers-search = Mirakl ID, HiPay ID or payment order
transfers-none = There is no operation yet
transfers-none-next = Operations are made from Mirakl’s payment vouchers by “Generate operations”.
payment-order-id = Payment order Id
amount = Amount
origin-amount = Origin amount
transfer-status = Transfer status
withdraw-status = Withdraw status
balance = Balance
beneficiary = Beneficiary
held = waits for a person
settled = settled

operation-title = Payment order { $voucher }
operation-cycle = Cycle
operation-invoice = Invoice
operation-number = Operation
operation-shortfall = Not withdrawn for want of balance
operation-netting = Netting
operation-adjusts = made up for operation { $operation }
operation-adjusted-by = made up for by operation { $operation }
operation-story = What happened
story-made = Made from payment order { $voucher }
story-noted = Noted
story-sent = { $kind } sent to HiPay: { $state }
story-told = HiPay told: { $action }
story-reference = Reference
story-account = HiPay account
story-transaction = HiPay transaction
story-hipay-status = HiPay status
story-notification = Notification

status = Status
operation-told = Where it stands, and what to do
choices = What you can decide
choice-reason = Reason
choice-transaction = Transaction at HiPay
choice-release-title = Release
choice-release-text = The runs deal with it again, and pay it where nothing else is in the way; a canceled withdrawal also needs a retry. Where Mirakl shows another amount now, that one is paid. A payment of HiPay’s that it was held for is no payment of it then.
choice-hold-title = Hold
choice-hold-text = Nothing more of it is sent until somebody releases it. What is under way at HiPay goes on.
choice-accept-title = Take a payment for it
choice-accept-text = A payment that HiPay shows is taken for this one, with its amount, and is not made again. What is left becomes an operation of its own, which is held.
choice-settle-title = Settle
choice-settle-text = It was paid otherwise, or is not owed: it is never paid from here.
retry-title = Take up again what was not paid
retry-all = Retry what failed…
retry-back = Back
retry-nothing = Nothing of this failed: there is nothing to take up again.
retry-changed = Something has changed since this was shown. Look at it again before you confirm.
retry-count = { $number ->
    [one] { $shown } operation
   *[other] { $shown } operations
}
retry-waiting = { $number ->
    [one] { $shown } waits for a person and is released
   *[other] { $shown } wait for a person and are released
}
retry-transfers = { $number ->
    [one] { $shown } is sent by the next run of { command-cashout-transfer }
   *[other] { $shown } are sent by the next run of { command-cashout-transfer }
}
retry-withdrawals = { $number ->
    [one] { $shown } is sent by the next run of { command-cashout-withdraw }
   *[other] { $shown } are sent by the next run of { command-cashout-withdraw }
}
retry-safe = Nothing is paid twice: before anything is sent again, HiPay is asked what became of it.
retry-now = Run it at once, rather than at its next scheduled time
retry-confirm = Take up again
retry-cancel = Cancel
retry-list = Operations to be taken up again
retry-more = and { $shown } more
retried-title = Taken up again
retried-count = { $number ->
    [one] { $shown } operation will be taken up again.
   *[other] { $shown } operations will be taken up again.
}

section-overview = Overview
funds-title = Technical account
funds-ask = Ask HiPay for the balance
funds-cover = covers what is due
funds-short = does not cover what is due
funds-due = { $amount } to be transferred
funds-unknown = HiPay does not tell the balance at the moment.
overview-held = Waiting for a person
overview-held-none = No operation waits for anybody.
overview-held-some = These operations are not paid before somebody has looked at them.
overview-troubles = Open problems
overview-since = since
overview-vendors = Vendors that need attention
overview-vendors-none = No vendor needs attention.
overview-vendors-all = All vendors with a warning
overview-no-cycle = No cycle has been settled yet
overview-cycle = Cycle of { $day }
overview-reasons = Held back, and why
overview-batches = Batches
overview-batch = Batch
overview-last-run = Last run
overview-next-run = Next run
overview-never = never
overview-off = switched off
overview-cycles = The last cycles
overview-progress = How far
overview-operations = Operations
stage-to-transfer = To transfer
stage-transferring = Being transferred
stage-transferred = In the wallets
stage-withdrawing = Being withdrawn
stage-withdrawn = Withdrawn to the bank
stage-held-back = Held back

trouble-title = This did not work
trouble-not-found = There is nothing here
trouble-back = To the dashboard
