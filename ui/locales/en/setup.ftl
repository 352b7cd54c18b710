# The first run, before there are settings.

setup-title = Set up cashout
setup-code-lead = This installation has no settings yet. To show that you administer this machine, type the code that cashout has written to its log.
setup-code = Code from the log
setup-code-hint = It is in the last lines that cashout has written; under systemd:
setup-code-go-on = Continue
setup-code-wrong = This is not the code. Each code opens this page once; type the last one in the log.

setup-lead = cashout checks your entries with Mirakl and HiPay, writes its settings file, and starts. No payment is made before the first scheduled run, and every other setting can be changed in the file later.
setup-optional = (optional)
setup-kept = It is kept as you typed it. Leave this empty, or type another one.
setup-forget = Remove what was typed
setup-missing = This field is required.
setup-save = Check and start
setup-save-hint = The check takes some seconds and changes nothing at Mirakl or HiPay.
setup-insist = Save anyway
setup-findings = Result of the check
setup-findings-lead = Nothing has been written yet: correct what is marked, or save anyway and fix it later.
setup-wrong = to fix
setup-well = OK
setup-not-written = { $file } cannot be written: { $problem }. Nothing was changed; fix that and save again.
setup-done = cashout is set up
setup-done-lead = The settings are in { $file }. The service starts with them now.
setup-done-next = Sign in with the login and password of HiPay’s web service that you have just filled in. Run “{ command-vendor-process }” and check its result before the first payment is due.
setup-done-go-on = To the dashboard

setup-mirakl = Mirakl
setup-mirakl-baseUrl = Mirakl’s address
setup-mirakl-baseUrl-hint = Where your team opens Mirakl, such as https://marketplace.example.com.
setup-mirakl-operatorKey = Operator’s API key
setup-mirakl-operatorKey-hint = From Mirakl’s back office. Fill in this key, or one of the two ways below.
setup-mirakl-bearerToken = Bearer token
setup-mirakl-bearerToken-hint = Instead of the key, if your Mirakl requires “Authorization: Bearer”.
setup-mirakl-clientId = OAuth2 client
setup-mirakl-clientId-hint = Instead of both: the client’s id, with its secret.
setup-mirakl-clientSecret = OAuth2 secret
setup-mirakl-clientSecret-hint = The secret of that client.

setup-hipay = HiPay
setup-hipay-baseRestUrl = HiPay’s address
setup-hipay-baseRestUrl-hint = HiPay’s real platform, or the test platform, where no money moves.
setup-hipay-wsLogin = Web service login
setup-hipay-wsLogin-hint = That of the technical account. It also signs you in to the dashboard.
setup-hipay-wsPassword = Web service password
setup-hipay-wsPassword-hint = That of the same account.
setup-hipay-entity = Entity
setup-hipay-entity-hint = Provided by HiPay; the sellers’ accounts belong to it.
setup-hipay-merchantGroupId = Merchant group
setup-hipay-merchantGroupId-hint = Provided by HiPay with the entity.
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
setup-hipay-timezone-hint = For cycles, schedules and all dates on the pages.
setup-cashout-firstCycle = First cycle to pay
setup-cashout-firstCycle-hint = Earlier cycles were paid by your previous system. If left empty: the day of the first batch.

setup-service = This service
setup-server-publicUrl = Public address
setup-server-publicUrl-hint = Where your team and HiPay reach it, such as https://cashout.example.com. HiPay’s notifications need it.
