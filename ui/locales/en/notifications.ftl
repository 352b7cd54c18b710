# Notifications from HiPay.

section-notifications = Notifications

notifications-lead = Every notification from HiPay with a valid signature: its content and its result.
notifications-search = Transaction or reference
notifications-none = No notifications yet
notifications-none-next = Register this address at HiPay: /notifications/wallet for accounts and transfers, /notifications/enterprise for payments.
notifications-received = Received
notifications-kind = Kind
notifications-action = Action
notifications-state = State
notifications-about = About
notifications-account = account { $account }
notifications-repeats = Repeats
notifications-message = Result

notification-title = Notification { $number }
notification-transaction = Transaction
notification-hipay-account = HiPay account
notification-repeated-at = Last repeated
notification-tries = Tries
notification-try-at = Next try
notification-ended-at = Processed
notification-done = Result
notification-payment = Payment { $reference }
notification-operation = Payment order { $voucher }
notification-vendor = Shop { $shop }
notification-body = Content
notification-body-lead = As it was verified; card numbers are masked.
notification-body-whole = Show all of it ({ $shown } characters)
notification-body-gone = The content was removed at the end of its retention period.

replay = Replay
replay-lead = It is processed again now, as if it had just arrived. Its effect counts once.
replay-look = Show the current state
replayed-again = It is being processed again.
replayed-had-its-effect = It already had its effect: nothing was done again.
replayed-emptied = Its content is no longer kept, so it cannot be processed again.
replayed-unknown = A later release processed it in a way that this one does not know: nothing was changed.

refused-none = None has been refused since this service started, { $since }.
refused-some = { $number ->
    [one] { $shown } notification has been refused
   *[other] { $shown } notifications have been refused
} since this service started, { $since }: { $why }.
refused-forged = { $number ->
    [one] { $shown } not signed by HiPay
   *[other] { $shown } not signed by HiPay
}
refused-unreadable = { $number ->
    [one] { $shown } unreadable
   *[other] { $shown } unreadable
}
refused-too-large = { $number ->
    [one] { $shown } too large
   *[other] { $shown } too large
}
refused-turned-away = { $number ->
    [one] { $shown } temporarily turned away
   *[other] { $shown } temporarily turned away
}
