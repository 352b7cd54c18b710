//! The steps from one format of the file to the next.

use redb::WriteTransaction;

use super::error::StoreError;
use super::view::{DOCUMENTS, table};
use crate::platform::testing::{InjectedFault, has_fault};

/// One step to the next format. Once released, a step is never changed or removed.
pub(super) struct Migration {
    /// Oldest format whose release can read and write the result of this step.
    pub(super) readable_from: u32,
    /// The whole step, in this transaction. Returns the collections whose records it has changed: their indexes
    /// are rebuilt.
    pub(super) run: fn(&WriteTransaction) -> Result<Vec<&'static str>, StoreError>,
}

/// The steps, in order. The first one leads from format 1 to format 2.
pub(super) const MIGRATIONS: &[Migration] = &[];

/// Returns the steps that an opening takes: those above, or failing ones if a test asks for that fault.
pub(super) fn steps() -> &'static [Migration] {
    if has_fault(InjectedFault::MigrationFails) { FAILING } else { MIGRATIONS }
}

/// A step that succeeds, and one that fails half way.
const FAILING: &[Migration] = &[
    Migration { readable_from: 1, run: |transaction| mark(transaction).map(|()| Vec::new()) },
    Migration {
        readable_from: 1,
        run: |transaction| {
            mark(transaction)?;
            Err(StoreError::Defect("the store cannot be brought to format 3".to_owned()))
        },
    },
];

fn mark(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(table(DOCUMENTS))?.insert(b"test/mark".as_slice(), b"{}".as_slice())?;
    Ok(())
}

/// Returns the format that a list of steps leads to.
pub(super) fn format_of(migrations: &[Migration]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX).saturating_add(1)
}
