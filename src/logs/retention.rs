//! Retention of log lines: by age and by number, in small slices that hold up no other write.

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::LogLine;
use crate::config::{RetentionConfig, Settings};
use crate::platform::clock::Clock;
use crate::store::{Query, Store, StoreError, View};
use crate::text::message::{logged, msg};

/// Interval between two checks.
const CHECK_INTERVAL: SignedDuration = SignedDuration::from_mins(30);
/// Interval between two measurements of the store's file.
const MEASURE_INTERVAL: SignedDuration = SignedDuration::from_hours(24);
/// Number of lines deleted per write.
const SLICE: usize = 200;

/// Deletes lines beyond the limits of the settings, repeatedly, until `stop` is cancelled.
pub async fn retain(store: Store, clock: Clock, settings: Settings, stop: CancellationToken) {
    let mut measured_at = clock.now();
    while !stop.is_cancelled() {
        let retention = settings.get().retention;
        match trim(&store, &clock, retention, &stop).await {
            Ok(0) => {}
            Ok(number) => logged!(info, action = "logs", msg!("log-lines-deleted", number)),
            Err(StoreError::Closed) => return,
            Err(error) => logged!(warn, action = "logs", msg!("log-lines-not-deleted", error = &error)),
        }
        if clock.now().duration_since(measured_at) >= MEASURE_INTERVAL {
            measured_at = clock.now();
            if let Err(error) = measure(&store).await {
                logged!(warn, action = "store", msg!("log-store-not-measured", error = &error));
            }
        }
        tokio::select! {
            () = clock.sleep(CHECK_INTERVAL) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Logs the size of the store's file and its use, and has the next start shrink it if that is worth it.
async fn measure(store: &Store) -> Result<(), StoreError> {
    const MEBIBYTE: u64 = 1024 * 1024;
    let measuring = store.clone();
    let measured = tokio::task::spawn_blocking(move || {
        let size = measuring.size()?;
        measuring.note_size(size).map(|()| size)
    });
    let size = measured.await.unwrap_or(Err(StoreError::Closed))?;
    let (file, room) = (size.file.div_euclid(MEBIBYTE), size.room().div_euclid(MEBIBYTE));
    let message =
        if size.is_roomy() { msg!("log-store-size-shrinks", file, room) } else { msg!("log-store-size", file, room) };
    logged!(info, action = "store", message);
    Ok(())
}

/// Deletes lines beyond the limits of `retention`. Returns the number of deleted lines.
pub async fn trim(
    store: &Store,
    clock: &Clock,
    retention: RetentionConfig,
    stop: &CancellationToken,
) -> Result<u64, StoreError> {
    let age = SignedDuration::from_hours(24).saturating_mul(i32::try_from(retention.logs_days).unwrap_or(i32::MAX));
    let oldest = clock.now().checked_sub(age).ok().filter(|_| retention.logs_days > 0);
    let mut gone: u64 = 0;
    while !stop.is_cancelled() {
        let deleted = store
            .write(move |writer| {
                let mut old = Vec::new();
                if let Some(oldest) = oldest {
                    old = writer.keys(&Query::<LogLine, _>::all().to((oldest,)).limit(SLICE))?.keys;
                }
                if old.is_empty() && retention.log_lines > 0 {
                    let over = writer.total::<LogLine>()?.saturating_sub(retention.log_lines);
                    let over = usize::try_from(over).unwrap_or(usize::MAX).min(SLICE);
                    if over > 0 {
                        old = writer.keys(&Query::<LogLine, _>::all().limit(over))?.keys;
                    }
                }
                for key in &old {
                    writer.delete::<LogLine>(key)?;
                }
                Ok::<_, StoreError>(old.len())
            })
            .await?;
        if deleted == 0 {
            break;
        }
        gone = gone.saturating_add(u64::try_from(deleted).unwrap_or(u64::MAX));
    }
    Ok(gone)
}
