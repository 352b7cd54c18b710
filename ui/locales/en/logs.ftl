# The log.

section-logs = Logs
logs-lead = What cashout has done, and what it had to say about it. Every line is kept as long as the settings allow.
logs-level = Information type
logs-action = Action
logs-batch = Batch
logs-message = Message
logs-none = There is no log line yet
logs-none-next = Lines appear as soon as a batch runs or HiPay sends a notification.
