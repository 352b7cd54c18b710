# What HiPay tells.

section-notifications = Notifications

notifications-lead = Everything that HiPay has told and whose signature was right: what it said, and what came of it.
notifications-search = Transaction or reference
notifications-none = HiPay has not told anything yet
notifications-none-next = Register this address at HiPay: /notifications/wallet for accounts and transfers, /notifications/enterprise for payments.
notifications-received = Received
notifications-kind = Kind
notifications-action = Action
notifications-state = State
notifications-about = About
notifications-account = account { $account }
notifications-repeats = Repeats
notifications-message = What came of it

notification-title = Notification { $number }
notification-transaction = Transaction
notification-hipay-account = HiPay account
notification-repeated-at = Repeated last
notification-tries = Tries
notification-try-at = Next try
notification-ended-at = Dealt with
notification-done = What came of it
notification-payment = Payment { $reference }
notification-operation = Payment order { $voucher }
notification-vendor = Shop { $shop }
notification-body = What was sent
notification-body-lead = As it was verified; card numbers are masked.
notification-body-whole = Show all of it ({ $shown } characters)
notification-body-gone = What was sent has been removed because its time to be kept was over.

replay = Replay
replay-lead = It is dealt with again now, as if it had just come. Whatever it is about counts once.
replay-look = Show how it stands now
replayed-again = It is being dealt with again.
replayed-had-its-effect = It has had its effect already: nothing was done again.
replayed-emptied = What was sent is no longer kept, so that it cannot be dealt with again.
replayed-unknown = A later release has dealt with it in a way that this one does not know: nothing was changed.

refused-none = None was refused since this service started, { $since }.
refused-some = { $number ->
    [one] { $shown } notification was refused
   *[other] { $shown } notifications were refused
} since this service started, { $since }: { $why }.
refused-forged = { $number ->
    [one] { $shown } that HiPay has not signed
   *[other] { $shown } that HiPay has not signed
}
refused-unreadable = { $number ->
    [one] { $shown } that cannot be read
   *[other] { $shown } that cannot be read
}
refused-too-large = { $number ->
    [one] { $shown } that is too large
   *[other] { $shown } that are too large
}
refused-turned-away = { $number ->
    [one] { $shown } turned away for the moment
   *[other] { $shown } turned away for the moment
}
