# Settings: running batches, past batches, technical information, settings, updating.

section-settings = Settings
settings-lead = Run batches by hand, check their results, and maintain this installation.

run-title = Fix errors
run-command = Command to run
run-date = Date
run-run = Run
run-date-lead = For “Wallet account creation” and “Generate operations” you can give a date from which vendors or transactions are retrieved from Mirakl: the day since which shops have been updated, or the day of a cycle. If you leave it empty:
run-empty-vendors = “Wallet account creation” retrieves all vendors from Mirakl;
run-empty-generate = “Generate operations” retrieves transactions with the arguments of your parameters.yml file.
run-viewer = You may look at everything. An operator may run commands.
run-no-date = This is not a date: write it as 2026-11-21. Nothing was run.
run-date-of-no-use = “{ $command }” takes no date: leave it empty. Nothing was run.

batch-told-queued = “{ $command }” begins in a moment as batch { $batch }.
batch-told-running = “{ $command }” runs as batch { $batch }.
batch-told-over = “{ $command }” has ended: see batch { $batch } in the list.
batch-told-behind = Batch { $batch } waits until batch { $ahead } is done, then begins automatically.
batch-told-joined = “{ $command }” was already queued as batch { $batch }: it runs once for everyone who requested it.

batches-title = Executed batches
batches-table = List of executed batches
batches-refresh = Refresh
batches-none = No batch has run yet
batches-none-next = Batches run on schedule, or from “Fix errors” above.
batch-command = Command
batch-asked-by = Requested by
batch-started = Starting date
batch-ended = End
batch-state = Status
batch-items = Items
batch-message = Message
batch-lines = Log lines of batch { $batch }
batch-progress = Progress of batch { $batch }
batch-done-of = { $done } of { $total }
batch-failures = { $number ->
    [one] { $shown } failed
   *[other] { $shown } failed
}

machine-title = Technical information
machine-version = Version
machine-target = Built for
machine-commit = Commit
machine-store = Store
machine-store-is = { $size } KiB, format { $format }
machine-uptime = Running for
machine-host = Host
machine-zone = Time zone
machine-backup = Last backup
machine-backup-none = none yet: cashout copies its store before each update
machine-unknown = not known

remotes-title = Remotes
remotes-ask = Check whether Mirakl and HiPay answer
remote-there = answers
remote-away = does not answer
remote-silent = No answer within four seconds.
remote-no-account = HiPay does not know the technical account.

schedule-title = Next runs
schedule-expression = Schedule (cron)
schedule-off = switched off

settings-changed = The settings were saved to the file and are in use.
settings-not-changed = Nothing was changed.
settings-token = Github token
settings-token-hint = GitHub personal access token, necessary for the self-update feature. Please follow steps 1 to 9 in the “Creating a token” section.
settings-token-link = https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens
settings-token-how = How a GitHub token is created
settings-token-remove = Remove the token
settings-token-wrong = A token has 1 to 255 letters, digits and signs, without spaces.
settings-is-set = set
settings-not-set = not set
settings-read-only = read-only here: it comes from { $source }
settings-level = Minimal log level alert
settings-level-none = none
settings-level-hint = Minimum logging level at which an email will be sent to a specified email address:
settings-level-wrong = There is no such level.
settings-no-recipients = none is specified (mail.to), so nothing is sent.
settings-save = Save
settings-viewer = An operator may change settings.
