//! Running one batch from the command line.

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Exit, Failed, Global, close, configuration, open, output, owner, progress, runtime};
use crate::clock::Clock;
use crate::config::Config;
use crate::jobs::{self, BatchRecord, BatchState, Command};

/// Opens the store, runs the batch that `command` makes, and tells what came of it.
pub(super) fn run(
    global: &Global,
    command: impl FnOnce(&Config, Timestamp) -> Result<Command, Failed>,
) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let config = configuration(global)?;
    let command = command(&config, Clock::system().now())?;
    let name = command.name();
    let context = open(global, config)?;
    let progress = progress::choose(global.json);
    let outcome = runtime()?.block_on(async {
        let stop = CancellationToken::new();
        listen(stop.clone());
        jobs::run(&context, &command, "command line", progress, stop).await
    });
    let latest = BatchRecord::latest(&context.store);
    let closed = close(global, context);
    let record = match outcome {
        Ok(record) => record,
        Err(error) => {
            // What was done before the batch broke off is told as well.
            let broken_off = latest.ok().flatten().filter(|latest| latest.state == BatchState::Failed);
            if let Some(record) = broken_off.filter(|latest| !global.json && latest.command == name) {
                output::summary(&record, false)?;
            }
            return Err(error.into());
        }
    };
    closed?;
    output::summary(&record, global.json)?;
    Ok(exit(&record))
}

/// What a batch's record means to a script.
pub(super) fn exit(record: &BatchRecord) -> Exit {
    match record.state {
        BatchState::Interrupted => Exit::Stopped,
        _ if record.failed > 0 => Exit::Failures,
        BatchState::Done | BatchState::Running | BatchState::Failed | BatchState::Unknown => Exit::Done,
    }
}

/// The first Ctrl-C (or SIGTERM) ends the batch at a safe point, the second one at once.
pub(super) fn listen(stop: CancellationToken) {
    tokio::spawn(async move {
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
        let mut signalled = async || {
            let terminate = async {
                match terminated.as_mut() {
                    Some(terminated) => terminated.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate => {}
            }
        };
        signalled().await;
        output::notice("stopping as soon as what is in hand is safe; once more to stop at once");
        stop.cancel();
        signalled().await;
        // Nothing is lost: every intent was committed before its request left.
        std::process::exit(i32::from(Exit::Stopped.code()));
    });
}
