//! Setup of Mirakl that the batches need: the document types and the custom field of shops.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::jobs::{Context, JobError};
use crate::remote::mirakl::PROCESS_FIELD;
use crate::store::View;
use crate::text::message::{Message, msg};

const DOCUMENT: &str = "mirakl_setup";

/// The two families of document types; a marketplace may have one of them only.
const FAMILIES: [&str; 2] = ["LEGAL_", "SOLE_MAN_"];

/// Document type that every marketplace needs: the proof that goes with the bank details.
pub(crate) const BANK_PROOF: &str = "ALL_PROOF_OF_BANK_ACCOUNT";

/// Setup of Mirakl as last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiraklSetup {
    /// Time of the reading (UTC).
    pub read_at: Timestamp,
    /// The codes of the document types of shops.
    pub document_types: BTreeSet<String>,
    /// The type of the custom field `hipay-process`; `None` if there is no such field.
    pub process_field: Option<String>,
}

impl MiraklSetup {
    /// Returns true if no shop can state that it wants to be paid, because the field does not exist.
    pub fn lacks_process_field(&self) -> bool {
        self.process_field.is_none()
    }

    /// Returns what is missing, each with the remedy.
    pub fn missing(&self, needed_types: &[String]) -> Vec<Message> {
        let mut missing = Vec::new();
        match self.process_field.as_deref() {
            None => missing.push(msg!("setup-no-field", field = PROCESS_FIELD)),
            Some(kind) if !kind.is_empty() && kind != "BOOLEAN" => {
                missing.push(msg!("setup-wrong-field", field = PROCESS_FIELD, kind));
            }
            Some(_) => {}
        }
        let present = |code: &str| self.document_types.contains(code);
        let family_present = |family: &str| needed_types.iter().any(|code| code.starts_with(family) && present(code));
        let some_family = FAMILIES.into_iter().any(family_present);
        for code in needed_types.iter().map(String::as_str).chain([BANK_PROOF]) {
            let family = FAMILIES.into_iter().find(|family| code.starts_with(family));
            // A family that is absent as a whole is not required if the other is present.
            let excused = family.is_some_and(|family| some_family && !family_present(family));
            if !present(code) && !excused {
                missing.push(msg!("setup-no-document-type", code));
            }
        }
        missing
    }
}

/// Reads Mirakl's setup, at most once a day unless `fresh` is true.
pub async fn read_setup(context: &Context, fresh: bool) -> Result<MiraklSetup, JobError> {
    let now = context.clock.now();
    let known = context.store.reading(|reader| reader.get_document::<MiraklSetup>(DOCUMENT)).await?;
    if let Some(known) = known
        && !fresh
        && now.duration_since(known.read_at).abs() < SignedDuration::from_hours(24)
        && !known.lacks_process_field()
    {
        return Ok(known);
    }
    let document_types = context.mirakl.document_types().await?.into_iter().collect();
    let fields = context.mirakl.additional_fields().await?;
    let process_field = fields.into_iter().find(|field| field.code == PROCESS_FIELD).map(|field| field.kind);
    let setup = MiraklSetup { read_at: now, document_types, process_field };
    let kept = setup.clone();
    context.store.write(move |writer| writer.put_document(DOCUMENT, &kept)).await?;
    Ok(setup)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(types: &[&str], field: Option<&str>) -> MiraklSetup {
        MiraklSetup {
            read_at: Timestamp::UNIX_EPOCH,
            document_types: types.iter().map(|&code| code.to_owned()).collect(),
            process_field: field.map(str::to_owned),
        }
    }

    #[test]
    fn one_family_may_be_absent_but_not_both() {
        let needed: Vec<String> = ["LEGAL_A", "LEGAL_B", "SOLE_MAN_A"].map(str::to_owned).to_vec();
        let missing = |types: &[&str]| setup(types, Some("BOOLEAN")).missing(&needed).len();
        assert_eq!(missing(&["LEGAL_A", "LEGAL_B", "SOLE_MAN_A", BANK_PROOF]), 0);
        assert_eq!(missing(&["LEGAL_A", "LEGAL_B", BANK_PROOF]), 0);
        assert_eq!(missing(&["SOLE_MAN_A", BANK_PROOF]), 0);
        assert_eq!(missing(&["LEGAL_A", BANK_PROOF]), 1);
        assert_eq!(missing(&[BANK_PROOF]), 3);
        assert_eq!(missing(&["LEGAL_A", "LEGAL_B"]), 1);
        assert_eq!(setup(&["SOLE_MAN_A", BANK_PROOF], None).missing(&needed).len(), 1);
        assert_eq!(setup(&["SOLE_MAN_A", BANK_PROOF], Some("TEXT_FIELD")).missing(&needed).len(), 1);
    }
}
