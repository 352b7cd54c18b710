//! Questions of users: each filter alone, common combinations, both orders, and places in the middle.

use super::marketplace::{Size, mixed, reference_of};
use super::question::Question;

fn new(what: &'static str, filters: &[(&'static str, &str)]) -> Question {
    Question::new(what, filters)
}

/// Returns prefixes of searched texts: long ones find little, short ones more than is read.
fn prefixes(count: u64, text: impl Fn(u64) -> String) -> Vec<String> {
    (1..=20).map(|nth| text(mixed(nth) % count + 1)).collect()
}

pub(super) fn of_vendors() -> Vec<Question> {
    vec![
        new("first page", &[]),
        new("earliest first", &[]).earliest_first(),
        new("by cursor", &[]).anywhere(),
        new("page 500", &[]).numbered(500),
        new("status", &[("status", "warning")]),
        new("status, by cursor", &[("status", "warning")]).anywhere(),
        new("wallet status", &[("wallet_status", "identified")]),
        new("both statuses", &[("status", "warning"), ("wallet_status", "not_identified")]),
        new("country", &[("country", "FR")]),
        new("country and status", &[("country", "DE"), ("status", "warning")]),
        new("country and both statuses", &[("country", "DE"), ("status", "warning"), ("wallet_status", "identified")]),
        new("country, page 500", &[("country", "FR")]).numbered(500),
        new("period", &[]).of_days(60, 30),
        new("status and period", &[("status", "warning")]).of_days(60, 30),
        new("country and period", &[("country", "DE")]).of_days(60, 30),
        new("both statuses and period", &[("status", "success"), ("wallet_status", "identified")]).of_days(60, 30),
        Question::search("search, a login", prefixes(10_000, |id| format!("comptoir{id}"))),
        Question::search("search, a beginning", ["1", "100", "comptoir1", "101"].map(ToOwned::to_owned).to_vec()),
    ]
}

pub(super) fn of_operations(size: &Size) -> Vec<Question> {
    let done = [("transfer_status", "ok"), ("withdraw_status", "ok")];
    vec![
        new("first page", &[]),
        new("earliest first", &[]).earliest_first(),
        new("by cursor", &[]).anywhere(),
        new("page 500", &[]).numbered(500),
        new("transfer status", &[("transfer_status", "ok")]),
        new("transfer status, by cursor", &[("transfer_status", "ok")]).anywhere(),
        new("transfer status, page 500", &[("transfer_status", "ok")]).numbered(500),
        new("withdraw status", &[("withdraw_status", "failed")]),
        new("both statuses", &done),
        new("both statuses, earliest first", &done).earliest_first(),
        new("period", &[]).of_days(60, 30),
        new("transfer status and period", &[("transfer_status", "ok")]).of_days(60, 30),
        new("withdraw status and period", &[("withdraw_status", "failed")]).of_days(60, 30),
        new("both statuses and period, by cursor", &done).of_days(200, 100).anywhere(),
        new("a large shop", &[("mirakl_id", "3")]),
        new("a large shop and its failures", &[("mirakl_id", "3"), ("withdraw_status", "failed")]),
        new("a large shop and what is paid", &[("mirakl_id", "3"), ("withdraw_status", "ok")]),
        new("a large shop and period", &[("mirakl_id", "3")]).of_days(60, 30),
        new("a shop", &[("mirakl_id", "77")]),
        Question::search("search, a payment order", prefixes(size.operations, |nth| (1_000_000 + nth).to_string())),
        Question::search("search, a beginning", ["10", "1000", "100003", "2"].map(ToOwned::to_owned).to_vec()),
    ]
}

pub(super) fn of_payments(size: &Size) -> Vec<Question> {
    vec![
        new("first page", &[]),
        new("earliest first", &[]).earliest_first(),
        new("by cursor", &[]).anywhere(),
        new("page 500", &[]).numbered(500),
        new("outcome", &[("outcome", "declined")]),
        new("outcome and period", &[("outcome", "accepted")]).of_days(60, 30),
        new("status", &[("status", "118")]),
        new("status of real ones", &[("status", "118"), ("test", "false")]),
        new("outcome and status", &[("outcome", "declined"), ("status", "113")]),
        new("real ones", &[("test", "false")]),
        new("outcome of real ones", &[("outcome", "accepted"), ("test", "false")]),
        new("an order", &[("order_id", "Order-00000777")]),
        new("period, by cursor", &[]).of_days(200, 100).anywhere(),
        Question::search("search, a payment", prefixes(size.payments, reference_of)),
        Question::search("search, a beginning", ["order-0", "132", "order-00001"].map(ToOwned::to_owned).to_vec()),
    ]
}

pub(super) fn of_notifications(size: &Size) -> Vec<Question> {
    vec![
        new("first page", &[]),
        new("earliest first", &[]).earliest_first(),
        new("by cursor", &[]).anywhere(),
        new("page 500", &[]).numbered(500),
        new("kind", &[("kind", "wallet")]),
        new("state", &[("state", "unmatched")]),
        new("kind and state", &[("kind", "payment"), ("state", "ignored")]),
        new("period", &[]).of_days(60, 30),
        new("kind, state and period", &[("kind", "wallet"), ("state", "applied")]).of_days(60, 30),
        Question::search("search, a transaction", prefixes(size.payments.min(size.notifications / 2), reference_of)),
        Question::search("search, a beginning", ["6912a8f0", "132", "6912a8f01"].map(ToOwned::to_owned).to_vec()),
    ]
}

pub(super) fn of_lines() -> Vec<Question> {
    vec![
        new("first page", &[]),
        new("earliest first", &[]).earliest_first(),
        new("by cursor", &[]).anywhere(),
        new("page 500", &[]).numbered(500),
        new("level", &[("level", "ERROR")]),
        new("level, by cursor", &[("level", "INFO")]).anywhere(),
        new("level, page 500", &[("level", "INFO")]).numbered(500),
        new("period", &[]).of_days(60, 30),
        new("period, by cursor", &[]).of_days(200, 100).anywhere(),
        new("level and period", &[("level", "ERROR")]).of_days(60, 30),
        new("action", &[("action", "cashout:transfer")]),
        new("action and level", &[("action", "cashout:transfer"), ("level", "ERROR")]),
        new("action, level and period", &[("action", "cashout:transfer"), ("level", "INFO")]).of_days(60, 30),
        new("a shop", &[("mirakl_id", "77")]),
        new("a large shop", &[("mirakl_id", "3")]),
        new("a large shop and level", &[("mirakl_id", "3"), ("level", "ERROR")]),
        new("a large shop and action", &[("mirakl_id", "3"), ("action", "cashout:transfer")]),
        new("a batch", &[("batch", "321")]),
        new("a batch and level", &[("batch", "321"), ("level", "INFO")]),
        new("a batch and a shop", &[("batch", "321"), ("mirakl_id", "3")]),
    ]
}

pub(super) fn of_batches() -> Vec<Question> {
    vec![
        new("first page", &[]),
        new("page 3", &[]).numbered(3),
        new("state", &[("state", "failed")]),
        new("command", &[("command", "cashout:transfer")]),
        new("command and state", &[("command", "cashout:transfer"), ("state", "failed")]),
    ]
}

/// Returns the pages that are no lists.
pub(super) fn single_pages(size: &Size) -> Vec<(&'static str, Vec<String>)> {
    let some = |count: u64| (1..=50_u64).map(move |nth| mixed(nth) % count + 1);
    vec![
        ("overview", vec!["/dashboard".to_owned()]),
        ("a vendor", some(size.vendors).map(|id| format!("/dashboard/vendors/{id}")).collect()),
        ("a large vendor", (1..=10).map(|id| format!("/dashboard/vendors/{id}")).collect()),
        ("an operation", some(size.operations).map(|id| format!("/dashboard/transfers/{id}")).collect()),
        ("a payment", some(size.payments).map(|nth| format!("/dashboard/payments/{}", reference_of(nth))).collect()),
        ("a notification", some(size.notifications).map(|id| format!("/dashboard/notifications/{id}")).collect()),
        ("settings", vec!["/dashboard/settings".to_owned()]),
    ]
}
