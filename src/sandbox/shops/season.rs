//! A marketplace that continues: shops that join later, and the sales of all shops from cycle to cycle.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{FIRST_ID, Market, Trouble, documents, iban, issued, number, of_cycle, payable, shop, slug, trouble};
use crate::domain::money::{Amount, Currency, MoneyError};
use crate::sandbox::{Document, Sandbox};

/// Opens the market's shops with these numbers (from 0): they are in Mirakl from `at` on, with their
/// documents. A shop is the same whenever it joins.
pub fn open(sandbox: &Sandbox, market: &Market, shops: Range<usize>, at: Timestamp) {
    for index in shops {
        let mut rng = draw(market, index, usize::MAX);
        let (mut shop, trouble) = shop(index, market, &mut rng);
        shop.updated = at;
        let documents = documents(&shop, trouble, &mut rng);
        sandbox.mirakl(|mirakl| {
            mirakl.shops.push(shop);
            mirakl.documents.extend(documents);
        });
    }
}

/// Fixes the problem of the market's shop with this number at Mirakl, as its seller or the operator
/// would: a correct document after the refused one, a valid IBAN, an e-mail.
pub fn mend(sandbox: &Sandbox, market: &Market, index: usize, at: Timestamp) {
    let (mut rng, id) = (draw(market, index, usize::MAX), FIRST_ID.saturating_add(number(index)));
    let (right, Some(trouble)) = shop(index, market, &mut rng) else { return };
    sandbox.mirakl(|mirakl| {
        let Some(shop) = mirakl.shop_mut(id) else { return };
        let identity = if shop.professional { "LEGAL_IDENTITY_OF_REPRESENTATIVE" } else { "SOLE_MAN_BUS_IDENTITY" };
        let document = match trouble {
            Trouble::RefusedIdentity => Some((identity, "identity-card.jpg")),
            Trouble::RefusedBank | Trouble::NoBankDocument => Some(("ALL_PROOF_OF_BANK_ACCOUNT", "bank-statement.pdf")),
            Trouble::WrongIban => {
                if let Some(info) = &mut shop.payment {
                    let country: String = info.iban.chars().take(2).collect();
                    info.iban = iban::invent(&country, &mut rng);
                }
                None
            }
            Trouble::PaymentBlocked => {
                shop.payment_blocked = false;
                None
            }
            Trouble::NotProcessed | Trouble::Undecided => {
                shop.hipay_process = Some(true);
                None
            }
            Trouble::NoEmail => {
                shop.email = Some(format!("contact{id}@{}.example", slug(&right.name)));
                None
            }
            // The first compensates itself, the second is harmless.
            Trouble::NegativeFirst | Trouble::UnknownDocument => None,
        };
        shop.updated = at;
        if let Some((kind, file_name)) = document {
            // Numbered after the documents that it had from the beginning.
            let new = Document::new(id.saturating_mul(10).saturating_add(9), id, kind, file_name);
            mirakl.documents.push(Document { uploaded: at, ..new });
        }
    });
}

/// Returns true if the shop with this number has a problem.
pub fn is_in_trouble(index: usize) -> bool {
    trouble(index).is_some()
}

/// Settles one more cycle, the market's `round`th from 0: every shop gets its voucher. Returns the
/// cost to the technical account of those of processed shops.
pub fn sell(sandbox: &Sandbox, market: &Market, round: usize, cycle: Date) -> Result<Amount, MoneyError> {
    let mut owed = Amount::zero(Currency::EUR);
    sandbox.mirakl(|mirakl| {
        for (index, shop) in mirakl.shops.iter().enumerate() {
            let mut rng = draw(market, index, round);
            let vouchers = of_cycle(shop, trouble(index), (round, issued(cycle, market, index)), &mut rng);
            for voucher in vouchers.iter().filter(|_| shop.hipay_process == Some(true)) {
                owed = owed.checked_add(payable(voucher)?)?;
            }
            mirakl.vouchers.extend(vouchers);
        }
        mirakl.vouchers.sort_by_key(|voucher| voucher.created);
        Ok(owed)
    })
}

/// Returns the generator for the choices about one shop in one round.
fn draw(market: &Market, index: usize, round: usize) -> fastrand::Rng {
    let mut rng = fastrand::Rng::with_seed(market.seed);
    let mixed = rng.u64(..) ^ number(index).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number(round).rotate_left(32);
    fastrand::Rng::with_seed(mixed)
}
