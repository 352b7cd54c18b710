# One vendor.

vendor-title = Shop { $shop }
vendor-email = E-mail of the wallet
vendor-identification = Identification
vendor-is-identified = identified
vendor-is-not-identified = not identified
vendor-bank = Bank details
vendor-as-of = as of
vendor-vat = VAT number
vendor-first-seen = First seen
vendor-changed = Last change
vendor-blocked-by-us = blocked by cashout until HiPay has validated the bank details
vendor-suspended-by-us = suspended in Mirakl by cashout, because HiPay refused the bank details
vendor-wrong = Open issues
vendor-nothing-wrong = Nothing prevents payments to this vendor.
vendor-by = Who has to act:
vendor-operations = Transfers & withdrawals
vendor-operations-none = No operations for this shop yet.
vendor-operations-all = All transfers and withdrawals of this shop
vendor-notifications = Notifications
vendor-notifications-none = No notifications about this wallet yet.
vendor-lines = Log lines
vendor-lines-none = No log lines about this shop.
vendor-lines-all = All log lines of this shop
vendor-line-level = Information type
vendor-line-action = Action
vendor-line-message = Message
