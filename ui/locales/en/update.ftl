# Updating: why it cannot be done, each with the way out.

update-cannot-no-repository = No repository of releases is configured: set “update.repository” to owner/name in parameters.yml.
update-cannot-no-token = No GitHub token is set: enter one under “Github token” in the settings.
update-cannot-token-refused = GitHub refuses the token: it has expired or was withdrawn; make a new one at GitHub and enter it under “Github token” in the settings.
update-cannot-not-found = GitHub shows no repository { $repository } to this token: check “update.repository”, and that the token may read the contents of that repository.
update-cannot-forbidden = GitHub does not let this token read { $repository } and says “{ $words }”: ask whoever looks after the repository at GitHub.
update-cannot-limit-reached = GitHub’s limit of calls is reached: it allows the next one on { $until }; nothing needs to be done until then.
update-cannot-no-asset = Release { $version } has no file for this machine ({ $target }) yet: look again later, or ask whoever publishes the releases.
update-cannot-unreachable = GitHub cannot be reached ({ $detail }): check this machine’s network and “update.apiUrl”.
update-cannot-failed = GitHub does not answer as it should ({ $detail }): try again later.
update-cannot-too-large = { $name } is larger than a release may be ({ $most } MiB) and is not fetched: ask whoever publishes the releases.
update-cannot-no-room = There is too little room in { $folder }: an update takes { $needed } MiB and { $free } MiB are free; make room and try again.
update-cannot-not-as-told = { $name } is not the file that GitHub announces, so it was thrown away: try again, and if that happens twice, ask whoever publishes the releases.
update-cannot-broken = The download broke off { $tries } times ({ $detail }): check this machine’s network and try again.
update-cannot-folder = The download cannot be kept: { $detail }; see to it that the service may write there, and try again.
update-cannot-busy = Release { $version } is being fetched: wait until that is done.
update-cannot-stopping = The program is stopping: try again when it is back.
update-cannot-unknown = A later release has noted a reason that this one does not know: look again.
update-cannot-not-offered = There is no newer release { $wanted } at GitHub: look again, or choose one that is offered.
update-cannot-no-guard = This process has no guard that could exchange it ({ $detail }): start it with `cashout serve`.
