//! Labels of transfers and withdrawals: templates with `{{placeholders}}`.

use jiff::civil::DateTime;

use crate::domain::money::Amount;

/// Placeholders allowed in the templates. `datetime` is an old spelling of `dateTime`.
pub const PLACEHOLDERS: [&str; 11] = [
    "miraklId",
    "amount",
    "hipayId",
    "cycleDate",
    "cycleDateTime",
    "cycleTime",
    "date",
    "dateTime",
    "datetime",
    "time",
    "paymentVoucher",
];

/// Values of the placeholders.
#[derive(Debug, Clone)]
pub struct LabelFacts<'a> {
    /// Store ID of the shop in Mirakl.
    pub mirakl_id: u64,
    /// The operation's amount.
    pub amount: Amount,
    /// The wallet of the vendor (of the operator for a commission).
    pub hipay_id: u64,
    /// The cycle's cut, in the configured zone.
    pub cycle: DateTime,
    /// The current time, in the configured zone.
    pub now: DateTime,
    /// The voucher's number.
    pub payment_voucher: &'a str,
}

/// Renders `template`. An unknown placeholder renders empty, as it always has; an opening without an end is kept as
/// written.
pub fn render(template: &str, facts: &LabelFacts<'_>) -> String {
    let mut rendered = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else { break };
        rendered.push_str(before);
        rendered.push_str(&value(name.trim(), facts));
        rest = tail;
    }
    rendered.push_str(rest);
    rendered
}

/// Returns the unknown placeholders in `template`.
pub fn unknown_placeholders(template: &str) -> Vec<String> {
    template
        .split("{{")
        .skip(1)
        .filter_map(|part| part.split_once("}}"))
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| !PLACEHOLDERS.contains(&name.as_str()))
        .collect()
}

fn value(name: &str, facts: &LabelFacts<'_>) -> String {
    match name {
        "miraklId" => facts.mirakl_id.to_string(),
        "amount" => facts.amount.decimal(),
        "hipayId" => facts.hipay_id.to_string(),
        "paymentVoucher" => facts.payment_voucher.to_owned(),
        "cycleDate" => facts.cycle.strftime("%Y-%m-%d").to_string(),
        "cycleDateTime" => facts.cycle.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        "cycleTime" => facts.cycle.strftime("%H:%M:%S").to_string(),
        "date" => facts.now.strftime("%Y-%m-%d").to_string(),
        "dateTime" | "datetime" => facts.now.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        "time" => facts.now.strftime("%H:%M:%S").to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
