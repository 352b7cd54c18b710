# The mails: alerts and the daily digest.

alert-subject = { $subject }: { $worst }, { $lines ->
    [one] { $lines } line
   *[other] { $lines } lines
}
alert-intro = cashout on { $host } logged { $lines ->
    [one] one line
   *[other] { $lines } lines
} at your alert level or above, from { $first } to { $last }.
alert-by-level = By level: { $levels }
alert-shops = Shops: { $shops }
alert-vouchers = Vouchers: { $vouchers }
alert-count = { $count ->
    [one] once, at { $last }
   *[other] { $count } times, last at { $last }
}
alert-more = And { $groups ->
    [one] one more message
   *[other] { $groups } more messages
} with { $lines ->
    [one] one line
   *[other] { $lines } lines
}; the log has all of them.
alert-outro = The next message about lines like these comes in { $minutes } minutes at the earliest.
trouble-subject = { $subject }: { $level }, { $message }
trouble-over-subject = Resolved: { $message }
trouble-open = cashout on { $host } has had a problem since { $since }{ $times ->
    [one] :
   *[other] , noticed { $times } times, last at { $last }:
}
trouble-outro = One more message follows when it is resolved. Until then the same problem is reported at most once a day.
trouble-over = Resolved at { $until }: cashout on { $host } no longer has this problem, which began at { $since }:
trouble-over-outro = No action is needed any more.

digest-subject = { $subject }: digest of { $day }
digest-intro = What cashout on { $host } did on { $day }.
digest-batches = Batches
digest-no-batches = No batch ran.
digest-batch = { $command }: { $runs ->
    [one] one run
   *[other] { $runs } runs
}, { $ended_early ->
    [0] none ended early
    [one] one ended early
   *[other] { $ended_early } ended early
}, { $failed ->
    [0] no item failed
    [one] one item failed
   *[other] { $failed } items failed
}
digest-operations = Operations that changed, by their status now
digest-no-operations = No operation changed.
digest-operation = { $status }: { $count }, { $sums }
digest-vendors = Vendors that need attention
digest-no-vendors = No vendor needs attention.
digest-vendor-count = { $count ->
    [one] One vendor
   *[other] { $count } vendors
}: { $shops }
digest-more = …
digest-log = Log lines at warning level or above
digest-no-log = No warning and no error.
digest-log-level = { $level }: { $count }
digest-at-least = more than { $count }
digest-notifications = Notifications from HiPay
digest-notifications-text = { $unmatched ->
    [0] None remained unmatched
    [one] One remained unmatched
   *[other] { $unmatched } remained unmatched
}; { $waiting ->
    [0] none waits
    [one] one waits
   *[other] { $waiting } wait
}.
dashboard-link = Dashboard: { $url }

level-debug = DEBUG
level-info = INFO
level-notice = NOTICE
level-warning = WARNING
level-error = ERROR
level-critical = CRITICAL
level-alert = ALERT
level-emergency = EMERGENCY
