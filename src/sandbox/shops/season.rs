//! A marketplace that goes on: shops that join later, and what all of them sell from cycle to cycle.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Market, documents, issued, number, of_cycle, payable, shop, trouble};
use crate::money::{Amount, Currency, MoneyError};
use crate::sandbox::Sandbox;

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

/// Settles one more cycle, the market's `round`th from 0: every shop has its voucher. Gives what those
/// of the shops that are to be paid cost the technical account.
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

/// Where the choices about one shop in one round come from.
fn draw(market: &Market, index: usize, round: usize) -> fastrand::Rng {
    let mut rng = fastrand::Rng::with_seed(market.seed);
    let mixed = rng.u64(..) ^ number(index).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number(round).rotate_left(32);
    fastrand::Rng::with_seed(mixed)
}
