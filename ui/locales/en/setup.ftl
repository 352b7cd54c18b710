# The first run, before there are settings.

setup-title = Set up cashout
setup-code-lead = This installation has no settings yet. Show that you look after this machine: type the code that cashout has written to its log.
setup-code = Code from the log
setup-code-hint = It stands in the last lines of what cashout has written; under systemd:
setup-code-go-on = Go on
setup-code-wrong = This is not the code. A code opens this page once; the one to type now is the last one in the log.

setup-lead = cashout asks Mirakl and HiPay whether these answer to what you fill in, writes the file with its settings, and starts. No payment is made before the first scheduled run, and every other setting can be changed in the file later.
setup-optional = (optional)
setup-kept = It is kept as you have typed it. Leave this empty, or type another one.
setup-forget = Remove what was typed
setup-missing = This is needed.
setup-save = Check and start
setup-save-hint = The check takes some seconds and changes nothing at Mirakl or HiPay.
setup-insist = Save it all the same
setup-findings = What the check has found
setup-findings-lead = Nothing has been written yet: correct what is marked, or save it all the same and mend it later.
setup-wrong = to mend
setup-well = well
setup-not-written = { $file } cannot be written: { $problem }. Nothing was changed; mend that and save again.
setup-done = cashout is set up
setup-done-lead = The settings are in { $file }. The service starts with them now.
setup-done-next = Sign in with the login and password of HiPay’s web service that you have just filled in. Run “{ command-vendor-process }” and look at what comes of it before the first payment is due.
setup-done-go-on = To the dashboard

setup-mirakl = Mirakl
setup-mirakl-baseUrl = Mirakl’s address
setup-mirakl-baseUrl-hint = Where your people open Mirakl, such as https://marketplace.example.com.
setup-mirakl-operatorKey = Operator’s API key
setup-mirakl-operatorKey-hint = From Mirakl’s back office. This, or one of the two ways that follow.
setup-mirakl-bearerToken = Bearer token
setup-mirakl-bearerToken-hint = Instead of the key, where your Mirakl wants “Authorization: Bearer”.
setup-mirakl-clientId = OAuth2 client
setup-mirakl-clientId-hint = Instead of both: the client’s id, with its secret.
setup-mirakl-clientSecret = OAuth2 secret
setup-mirakl-clientSecret-hint = The secret of that client.

setup-hipay = HiPay
setup-hipay-baseRestUrl = HiPay’s address
setup-hipay-baseRestUrl-hint = HiPay’s real platform, or the one for tests: no money moves there.
setup-hipay-wsLogin = Web service login
setup-hipay-wsLogin-hint = Of the technical account. It signs you in to the dashboard, too.
setup-hipay-wsPassword = Web service password
setup-hipay-wsPassword-hint = Of the same account.
setup-hipay-entity = Entity
setup-hipay-entity-hint = HiPay gave it to you; the sellers’ accounts belong to it.
setup-hipay-merchantGroupId = Merchant group
setup-hipay-merchantGroupId-hint = HiPay gave it to you with the entity.
setup-hipay-enterprise-passphrase = Passphrase of HiPay Enterprise
setup-hipay-enterprise-passphrase-hint = Payment notifications are signed with it; without it they are refused.

setup-accounts = Your accounts at HiPay
setup-account-technical-email = Technical account: e-mail
setup-account-technical-email-hint = All sales money arrives on this account.
setup-account-technical-hipayId = Technical account: HiPay ID
setup-account-technical-hipayId-hint = A whole number.
setup-account-operator-email = Operator’s account: e-mail
setup-account-operator-email-hint = Your commissions are paid to this account.
setup-account-operator-hipayId = Operator’s account: HiPay ID
setup-account-operator-hipayId-hint = A whole number.

setup-payments = Payments
setup-hipay-timezone = Time zone
setup-hipay-timezone-hint = Cycles, schedules and all dates on the pages are in it.
setup-cashout-firstCycle = First cycle to pay
setup-cashout-firstCycle-hint = Earlier cycles were paid by what you used before. Left empty: the day of the first batch.

setup-service = This service
setup-server-publicUrl = Public address
setup-server-publicUrl-hint = Where people and HiPay reach it, such as https://cashout.example.com. HiPay’s notifications need it.
