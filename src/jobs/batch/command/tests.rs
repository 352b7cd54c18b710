//! Tests of `jobs/batch/command.rs`.

use jiff::SignedDuration;
use jiff::civil::date;
use serde_json::json;

use super::*;

#[test]
fn a_request_is_read_again_as_it_was_written() {
    let all = [
        Command::VendorProcess { since: None },
        Command::VendorProcess { since: Some("2026-11-21T10:00:00Z".parse().unwrap()) },
        Command::CashoutGenerate(GenerateArguments::default()),
        Command::CashoutGenerate(GenerateArguments {
            cycle_date: Some(date(2026, 11, 11)),
            execution_date: Some(date(2026, 11, 12)),
            before: Some(SignedDuration::from_hours(13)),
            after: Some(SignedDuration::from_secs(90)),
        }),
        Command::CashoutTransfer,
        Command::CashoutWithdraw,
        Command::TransactionStatusSync,
    ];
    for command in all {
        let written = serde_json::to_value(&command).unwrap();
        assert_eq!(written["command"], command.name());
        assert!(BatchKind::ALL.contains(&command.kind()));
        assert_eq!(serde_json::from_value::<Command>(written).unwrap(), command);
    }
}

#[test]
fn what_is_not_asked_for_may_be_left_out() {
    for (text, command) in [
        (json!({ "command": "vendor:process" }), Command::VendorProcess { since: None }),
        (json!({ "command": "cashout:generate" }), Command::CashoutGenerate(GenerateArguments::default())),
    ] {
        assert_eq!(serde_json::from_value::<Command>(text).unwrap(), command);
    }
    assert!(serde_json::from_value::<Command>(json!({ "command": "cashout:everything" })).is_err());
}
