//! IV01 and SBC11: the same vouchers, as invoices and as billing cycles.

use jiff::Timestamp;

use super::model::{MiraklModel, Seek, Voucher};
use super::{Refused, count, instant, page};
use crate::domain::money::Amount;
use crate::sandbox::call::{Answer, Call, Endpoint};
use crate::sandbox::json::{Json, Spelling};

type Window = (Option<Timestamp>, Option<Timestamp>);

fn window(call: &Call) -> Result<Window, Refused> {
    let window = (instant(call, "start_date")?, instant(call, "end_date")?);
    if let (Some(start), Some(end)) = window
        && start > end
    {
        return Err(Refused::bad("'start_date' lies after 'end_date'"));
    }
    Ok(window)
}

fn within(voucher: &Voucher, (start, end): Window) -> bool {
    start.is_none_or(|start| voucher.created >= start) && end.is_none_or(|end| voucher.created <= end)
}

pub(super) fn invoices(model: &mut MiraklModel, call: &Call, spelling: &mut Spelling) -> Result<Answer, Refused> {
    let window = window(call)?;
    let (max, offset) = page(call)?;
    if let Some(other) = call.query("type").filter(|kind| *kind != "AUTO_INVOICE") {
        return Err(Refused::bad(format!("Parameter 'type' must be AUTO_INVOICE, not '{other}'")));
    }
    let found: Vec<&Voucher> = model.vouchers.iter().filter(|voucher| within(voucher, window)).collect();
    let total = found.len();
    let rows: Vec<Json> =
        found.into_iter().skip(offset).take(max).map(|voucher| invoice(model, voucher, spelling)).collect();
    model.page_served(Endpoint::Invoices);
    Ok(Answer::json(200, Json::object([("invoices", Json::list(rows)), ("total_count", Json::number(total))])))
}

fn invoice(model: &MiraklModel, voucher: &Voucher, spelling: &mut Spelling) -> Json {
    if let Some(served) = &voucher.invoice_served_as {
        return Json::raw(served.clone());
    }
    let mut summary = vec![("amount_due_to_seller", Json::raw("0.00"))];
    push_amount(&mut summary, "amount_transferred", voucher, voucher.amount_transferred.as_deref(), spelling);
    let commission = voucher.amount_to_operator.as_deref();
    push_amount(&mut summary, "amount_transferred_to_operator", voucher, commission, spelling);
    let mut fields = vec![
        ("invoice_id", Json::number(voucher.number)),
        ("type", Json::text("AUTO_INVOICE")),
        ("state", Json::text("COMPLETE")),
        ("shop_id", Json::number(voucher.shop_id)),
        ("currency_iso_code", Json::text(voucher.currency.code())),
        ("date_created", Json::text(&voucher.created.to_string())),
        ("payment", Json::object([("state", Json::text(&voucher.state))])),
    ];
    if model.invoices_have_amounts {
        fields.push(("summary", Json::object(summary)));
    }
    if model.invoices_name_vouchers {
        fields.push(("payment_voucher_number", Json::text(&voucher.payment_voucher_number)));
    }
    spelling.maybe(&mut fields, "pay_out_psp_code", voucher.pay_out_psp_code.as_deref());
    Json::object(fields)
}

pub(super) fn billing_cycles(model: &mut MiraklModel, call: &Call, spelling: &mut Spelling) -> Result<Answer, Refused> {
    let (window, limit, last) = match call.query("page_token") {
        Some(token) => {
            let seek = model.seeks.get(token).cloned();
            let seek = seek.ok_or_else(|| Refused::bad(format!("Unknown page token '{token}'")))?;
            (seek.window, seek.limit, Some(seek.last))
        }
        None => (window(call)?, count(call, "limit", 10, 1, 1000)?, None),
    };
    // A reader continues after the last cycle it saw, at its current position.
    let start = match &last {
        Some(last) => model
            .vouchers
            .iter()
            .position(|voucher| voucher.billing_cycle_id == *last)
            .map_or(model.vouchers.len(), |seen| seen.saturating_add(1)),
        None => 0,
    };
    let mut rest = model.vouchers.iter().skip(start).filter(|voucher| within(voucher, window)).peekable();
    let mut rows = Vec::new();
    let mut last = last;
    while rows.len() < limit
        && let Some(voucher) = rest.next()
    {
        rows.push(cycle(voucher, spelling));
        last = Some(voucher.billing_cycle_id.clone());
    }
    let more = rest.peek().is_some();
    let mut fields = vec![("data", Json::list(rows))];
    if let (true, Some(last)) = (more, last) {
        let token = format!("page-{:016x}", model.chance.draw("page token").u64(..));
        model.seeks.insert(token.clone(), Seek { window, limit, last });
        fields.push(("next_page_token", Json::text(&token)));
    }
    model.page_served(Endpoint::BillingCycles);
    Ok(Answer::json(200, Json::object(fields)))
}

fn cycle(voucher: &Voucher, spelling: &mut Spelling) -> Json {
    if let Some(served) = &voucher.cycle_served_as {
        return Json::raw(served.clone());
    }
    let mut fields = vec![
        ("id", Json::text(&voucher.billing_cycle_id)),
        ("payment_voucher_number", Json::text(&voucher.payment_voucher_number)),
        ("shop", Json::object([("shop_id", Json::number(voucher.shop_id))])),
        ("currency_iso_code", Json::text(voucher.currency.code())),
        ("date_created", Json::text(&voucher.created.to_string())),
        ("pay_out", Json::object([("state", Json::text(&voucher.state))])),
    ];
    spelling.maybe(&mut fields, "pay_out_psp_code", voucher.pay_out_psp_code.as_deref());
    push_amount(&mut fields, "amount_transferred_to_seller", voucher, voucher.amount_transferred.as_deref(), spelling);
    let commission = voucher.amount_to_operator.as_deref();
    push_amount(&mut fields, "amount_transferred_to_operator", voucher, commission, spelling);
    Json::object(fields)
}

fn push_amount<'name>(
    fields: &mut Vec<(&'name str, Json)>,
    name: &'name str,
    voucher: &Voucher,
    text: Option<&str>,
    spelling: &mut Spelling,
) {
    let Some(text) = text else { return };
    let json = match Amount::parse(text, voucher.currency) {
        Ok(amount) => spelling.decimal(amount),
        Err(_) => Json::raw(text),
    };
    fields.push((name, json));
}
