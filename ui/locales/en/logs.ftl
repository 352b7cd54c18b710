# The log.

section-logs = Logs
logs-lead = What cashout has done, with all warnings and errors. Every line is kept as long as the settings allow.
logs-level = Information type
logs-level-from = Lowest level
logs-and-above = { $level } and above
logs-search = Text of the message
logs-action = Action
logs-batch = Batch
logs-message = Message
logs-none = No log lines yet
logs-none-next = Lines appear as soon as a batch runs or HiPay sends a notification.
logs-searched-part = Only a part of these lines was searched. Narrow the period, or continue with “Next”.
