# Statuses, kinds and commands in words. Each id is the kind of thing and its name in JSON.

# The two status columns of an operation. `none` is the word of the filter; the column stays empty.
transfer-none = Nothing yet
transfer-ok = OK
transfer-requested = OK (requested)
transfer-sending = sending…
transfer-failed = KO
transfer-insufficient-funds = KO (insufficient funds)
transfer-canceled = KO (canceled)
transfer-vendor-disabled = KO (vendor disabled)
transfer-payment-blocked = KO (payment blocked)
transfer-adjusted = OK (adjusted)
transfer-invalid-amount = OK (nothing to pay)
withdraw-none = Nothing yet
withdraw-ok = OK
withdraw-requested = OK (requested)
withdraw-sending = sending…
withdraw-failed = KO (failed)
withdraw-insufficient-funds = KO (insufficient funds)
withdraw-canceled = KO (canceled)
withdraw-vendor-disabled = KO (vendor disabled)
withdraw-payment-blocked = KO (payment blocked)
withdraw-adjusted = OK (adjusted)
withdraw-invalid-amount = OK (nothing to pay)

# Statuses of an operation, for its story.
operation-created = Created
operation-adjusted-operations = Netted
operation-transfer-success = Transferred
operation-transfer-requested = Transfer requested
operation-withdraw-requested = Withdrawal requested
operation-withdraw-success = Withdrawn
operation-transfer-sending = Transfer being sent
operation-withdraw-sending = Withdrawal being sent
operation-invalid-amount = Nothing to pay
operation-transfer-vendor-disabled = Not transferred: vendor disabled
operation-withdraw-vendor-disabled = Not withdrawn: vendor disabled
operation-withdraw-failed = Withdrawal failed
operation-withdraw-canceled = Withdrawal canceled
operation-transfer-failed = Transfer failed
operation-transfer-negative = Not transferred: insufficient funds
operation-withdraw-negative = Not withdrawn: insufficient funds
operation-withdraw-payment-blocked = Not withdrawn: payments blocked
operation-unknown = Unknown status

kind-transfer = Transfer
kind-withdrawal = Withdrawal
beneficiary-vendor = Vendor
beneficiary-operator = Operator (commission)
attempt-sending = Outcome not known
attempt-requested = Accepted by HiPay
attempt-captured = Executed
attempt-refused = Refused by HiPay
attempt-ended = Failed for good
attempt-unknown = Unknown

vendor-success = success
vendor-warning = warning
wallet-created = created
wallet-not-created = not created
wallet-identified = identified
wallet-not-identified = not identified

# Bank details, by HiPay's numbers.
bank-unread = not read yet
bank-none = none
bank-in-progress = validation in progress
bank-validated = validated

# Documents, by HiPay's numbers and by its notices.
document-missing = missing
document-new = new
document-waiting = waiting for validation
document-validated = validated
document-refused = refused
document-deleted = deleted
document-unknown = unknown

notification-received = received
notification-waiting = waiting
notification-applied = processed
notification-ignored = ignored
notification-unmatched = unmatched
notification-unknown = unknown
notification-kind-wallet = Wallet
notification-kind-payment = Payment
notification-kind-settlement = Settlement
notification-kind-unknown = Unknown

batch-queued = queued
batch-running = running
batch-done = done
batch-partly = partly done
batch-failed = failed
batch-interrupted = interrupted
batch-unknown = unknown
command-vendor-process = Wallet account creation
command-cashout-generate = Generate operations
command-cashout-transfer = Transfer
command-cashout-withdraw = Withdraw
command-cashout-transaction-status-sync = Transaction status synchronisation

# Customers' payments, by HiPay's numbers.
outcome-accepted = accepted
outcome-pending = pending
outcome-declined = declined
outcome-disputed = disputed
outcome-unknown = unknown
payment-101 = Created
payment-103 = Cardholder Enrolled
payment-104 = Cardholder Not Enrolled
payment-105 = Unable to Authenticate
payment-106 = Cardholder Authenticated
payment-107 = Authentication Attempted
payment-108 = Could Not Authenticate
payment-109 = Authentication Failed
payment-110 = Blocked
payment-111 = Denied
payment-112 = Authorized and Pending
payment-113 = Refused
payment-114 = Expired
payment-115 = Cancelled
payment-116 = Authorized
payment-117 = Capture Requested
payment-118 = Captured
payment-119 = Partially Captured
payment-120 = Collected
payment-121 = Partially Collected
payment-122 = Settled
payment-123 = Partially Settled
payment-124 = Refund Requested
payment-125 = Refunded
payment-126 = Partially Refunded
payment-129 = Charged Back
payment-131 = Debited
payment-132 = Partially Debited
payment-140 = Authentication Requested
payment-141 = Authenticated
payment-142 = Authorization Requested
payment-143 = Authorization Cancelled
payment-150 = Acquirer Found
payment-151 = Acquirer Not Found
payment-160 = Cardholder Enrollment Unknown
payment-161 = Risk Accepted
payment-163 = Authorization Refused
payment-165 = Refund Refused
payment-166 = Issuer Credited
payment-173 = Capture Refused
payment-174 = Awaiting Terminal
payment-175 = Authorization Cancellation Requested
payment-200 = Pending Payment

role-viewer = Viewer
role-operator = Operator
