//! A realistic marketplace: sellers of every kind, most of them without problems, what each is owed,
//! and an escrow account that holds slightly too little.

mod iban;
mod names;
mod season;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub use season::{is_in_trouble, mend, open, sell};

use super::{Document, PaymentInfo, Sandbox, Shop, Voucher};
use crate::domain::money::{Amount, Currency, MoneyError};
use names::{BANKS, FIRST_NAMES, LAST_NAMES, SHOP_HEADS, SHOP_TAILS, STREETS, TOWNS, Town};

/// The first Mirakl ID.
const FIRST_ID: u64 = 2001;
/// Percentage of the amount owed that the technical account holds.
const ESCROW_PERCENT: i64 = 94;

/// Problem of a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Identity document that HiPay refuses.
    RefusedIdentity,
    /// Bank document that HiPay refuses.
    RefusedBank,
    /// IBAN with a wrong checksum.
    WrongIban,
    /// Debt at first, compensated by later sales.
    NegativeFirst,
    /// Payments blocked in Mirakl.
    PaymentBlocked,
    /// Excluded from processing by the operator.
    NotProcessed,
    /// Missing e-mail.
    NoEmail,
    /// Document of an unknown type.
    UnknownDocument,
    /// Missing bank document.
    NoBankDocument,
    /// Missing decision of the operator about its processing.
    Undecided,
}

const TROUBLES: [Trouble; 10] = [
    Trouble::RefusedIdentity,
    Trouble::NegativeFirst,
    Trouble::WrongIban,
    Trouble::NotProcessed,
    Trouble::RefusedBank,
    Trouble::NoEmail,
    Trouble::PaymentBlocked,
    Trouble::UnknownDocument,
    Trouble::NoBankDocument,
    Trouble::Undecided,
];

/// Description of the marketplace to build.
#[derive(Debug, Clone)]
pub struct Market {
    /// Number of shops.
    pub count: usize,
    /// Seed of every choice.
    pub seed: u64,
    /// The cycles for which shops are owed something.
    pub cycles: Vec<Date>,
    /// The operator's time zone: vouchers are issued two hours into a cycle day there.
    pub zone: TimeZone,
}

impl Market {
    /// Describes forty shops and one cycle, in UTC.
    pub fn new(seed: u64, cycle: Date) -> Self {
        Self { count: 40, seed, cycles: vec![cycle], zone: TimeZone::UTC }
    }

    /// Returns the Mirakl ID of the shop with this number, from 0.
    pub fn shop_id(&self, index: usize) -> Option<u64> {
        u64::try_from(index).ok()?.checked_add(FIRST_ID)
    }
}

/// Contents of a marketplace that was built.
#[derive(Debug, Clone)]
pub struct Populated {
    /// Every shop's Mirakl ID, with its problem, if any.
    pub shops: Vec<(u64, Option<Trouble>)>,
    /// Sum of all positive vouchers and commissions of processed shops.
    pub owed: Amount,
    /// Amount that the technical account received for it.
    pub escrow: Amount,
}

/// Fills both remotes: shops, documents and vouchers at Mirakl, sales money at HiPay.
pub fn populate(sandbox: &Sandbox, market: &Market) -> Result<Populated, MoneyError> {
    let mut rng = fastrand::Rng::with_seed(market.seed);
    let mut built =
        Populated { shops: Vec::new(), owed: Amount::zero(Currency::EUR), escrow: Amount::zero(Currency::EUR) };
    for index in 0..market.count {
        let (shop, trouble) = shop(index, market, &mut rng);
        let documents = documents(&shop, trouble, &mut rng);
        let vouchers = vouchers(index, &shop, trouble, market, &mut rng);
        if shop.hipay_process == Some(true) {
            for voucher in &vouchers {
                built.owed = built.owed.checked_add(payable(voucher)?)?;
            }
        }
        built.shops.push((shop.id, trouble));
        sandbox.mirakl(|mirakl| {
            mirakl.shops.push(shop);
            mirakl.documents.extend(documents);
            mirakl.vouchers.extend(vouchers);
        });
    }
    // Sorted by cycle, as Mirakl lists them.
    sandbox.mirakl(|mirakl| mirakl.vouchers.sort_by_key(|voucher| voucher.created));
    built.escrow = Amount::from_minor(built.owed.minor().saturating_mul(ESCROW_PERCENT) / 100, Currency::EUR);
    let technical = sandbox.credentials().technical_id;
    sandbox.hipay(|hipay| hipay.fund(technical, built.escrow))?;
    Ok(built)
}

/// Returns the cost of a voucher to the technical account.
fn payable(voucher: &Voucher) -> Result<Amount, MoneyError> {
    let mut sum = Amount::zero(voucher.currency);
    for text in [&voucher.amount_transferred, &voucher.amount_to_operator].into_iter().flatten() {
        let amount = Amount::parse(text, voucher.currency)?;
        if amount.is_positive() {
            sum = sum.checked_add(amount)?;
        }
    }
    Ok(sum)
}

fn number(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

/// Returns the items of a list in rotation.
fn in_turn<T: Copy>(list: &[T], index: usize, otherwise: T) -> T {
    list.get(index.checked_rem(list.len()).unwrap_or(0)).copied().unwrap_or(otherwise)
}

/// Returns the problem of a shop. Every fourth shop has one; with forty shops each occurs once.
fn trouble(index: usize) -> Option<Trouble> {
    if index % 4 == 3 { TROUBLES.get(index / 4 % TROUBLES.len()).copied() } else { None }
}

fn shop(index: usize, market: &Market, rng: &mut fastrand::Rng) -> (Shop, Option<Trouble>) {
    let id = FIRST_ID.saturating_add(number(index));
    // Twelve heads and seventeen tails make 204 names before one repeats.
    let name = format!("{} {}", in_turn(&SHOP_HEADS, index, "Maison"), in_turn(&SHOP_TAILS, index, "Nord"));
    let (civility, firstname) = rng.choice(FIRST_NAMES).unwrap_or(("Mrs", "Camille"));
    let lastname = rng.choice(LAST_NAMES).unwrap_or("Durand");
    let town: Town = rng.choice(TOWNS).unwrap_or(("59000", "Lille", "FRA", "FR"));
    let (zip, city, alpha3, alpha2) = town;
    let siren = iban::siren(rng);
    let professional = rng.u8(0..10) < 7;
    let owner = if professional { format!("{name} SARL") } else { format!("{firstname} {lastname}") };
    let street = rng.choice(STREETS).unwrap_or("rue Haute");
    let first_cycle = market.cycles.iter().min().map(|cycle| issued(*cycle, market, 0));
    let trouble = trouble(index);
    let mut shop = Shop {
        professional,
        civility: civility.to_owned(),
        firstname: firstname.to_owned(),
        lastname: lastname.to_owned(),
        email: Some(format!("contact{id}@{}.example", slug(&name))),
        phone: if rng.u8(0..6) == 0 {
            Some(String::new())
        } else {
            Some(format!("+33 3 20 {:02} {:02} {:02}", rng.u8(10..99), rng.u8(10..99), rng.u8(10..99)))
        },
        street: format!("{} {street}", rng.u8(1..120)),
        zip_code: zip.to_owned(),
        city: city.to_owned(),
        country: alpha3.to_owned(),
        corporate_name: professional.then(|| owner.clone()),
        vat_number: professional.then(|| iban::vat(alpha2, &siren, rng)),
        registration: Some(siren),
        payment: Some(payment(&owner, town, rng)),
        updated: before(first_cycle, SignedDuration::from_hours(rng.i64(24..24 * 60))),
        ..Shop::new(id, &name)
    };
    afflict(&mut shop, trouble);
    (shop, trouble)
}

fn payment(owner: &str, (zip, city, _, country): Town, rng: &mut fastrand::Rng) -> PaymentInfo {
    PaymentInfo {
        owner: owner.to_owned(),
        bank_name: rng.choice(BANKS).unwrap_or("Banque du Nord").to_owned(),
        bank_street: format!("{} {}", rng.u8(1..90), rng.choice(STREETS).unwrap_or("rue Haute")),
        bank_zip: zip.to_owned(),
        bank_city: city.to_owned(),
        bic: format!("SAND{country}2X"),
        iban: iban::invent(country, rng),
    }
}

/// Applies a problem to the shop itself.
fn afflict(shop: &mut Shop, trouble: Option<Trouble>) {
    match trouble {
        Some(Trouble::WrongIban) => {
            if let Some(info) = &mut shop.payment {
                info.iban = iban::spoil(&info.iban);
            }
        }
        Some(Trouble::PaymentBlocked) => shop.payment_blocked = true,
        Some(Trouble::NotProcessed) => shop.hipay_process = Some(false),
        Some(Trouble::Undecided) => shop.hipay_process = None,
        Some(Trouble::NoEmail) => shop.email = None,
        Some(
            Trouble::RefusedIdentity
            | Trouble::RefusedBank
            | Trouble::NegativeFirst
            | Trouble::UnknownDocument
            | Trouble::NoBankDocument,
        )
        | None => {}
    }
}

fn documents(shop: &Shop, trouble: Option<Trouble>, rng: &mut fastrand::Rng) -> Vec<Document> {
    let identity = if trouble == Some(Trouble::RefusedIdentity) { "03_identity.jpg" } else { "identity.jpg" };
    let bank = if trouble == Some(Trouble::RefusedBank) { "06_bank.pdf" } else { "bank.pdf" };
    let mut files = if shop.professional {
        vec![
            ("LEGAL_IDENTITY_OF_REPRESENTATIVE", identity),
            ("LEGAL_PROOF_OF_REGISTRATION_NUMBER", "register.pdf"),
            ("LEGAL_ARTICLES_DISTR_OF_POWERS", "articles.pdf"),
        ]
    } else {
        vec![
            ("SOLE_MAN_BUS_IDENTITY", identity),
            ("SOLE_MAN_BUS_PROOF_OF_REG_NUMBER", "register.pdf"),
            ("SOLE_MAN_BUS_PROOF_OF_TAX_STATUS", "tax.pdf"),
        ]
    };
    if rng.bool() {
        let rear = if shop.professional { "LEGAL_IDENTITY_OF_REP_REAR" } else { "SOLE_MAN_BUS_IDENTITY_REAR" };
        files.push((rear, "identity-back.jpg"));
    }
    if trouble == Some(Trouble::UnknownDocument) {
        files.push(("ECO_LABEL_CERTIFICATE", "label.pdf"));
    }
    if trouble != Some(Trouble::NoBankDocument) {
        files.push(("ALL_PROOF_OF_BANK_ACCOUNT", bank));
    }
    files
        .into_iter()
        .enumerate()
        .map(|(index, (kind, file_name))| {
            let id = shop.id.saturating_mul(10).saturating_add(number(index));
            Document { uploaded: shop.updated, ..Document::new(id, shop.id, kind, file_name) }
        })
        .collect()
}

fn vouchers(
    index: usize,
    shop: &Shop,
    trouble: Option<Trouble>,
    market: &Market,
    rng: &mut fastrand::Rng,
) -> Vec<Voucher> {
    let cycles = market.cycles.iter().enumerate();
    cycles.flat_map(|(round, cycle)| of_cycle(shop, trouble, (round, issued(*cycle, market, index)), rng)).collect()
}

/// Makes the vouchers of a shop for one cycle, which is the market's `round`th from 0 and settled at `created`.
fn of_cycle(
    shop: &Shop,
    trouble: Option<Trouble>,
    (round, created): (usize, Timestamp),
    rng: &mut fastrand::Rng,
) -> Vec<Voucher> {
    let mut vouchers = Vec::new();
    let id = number(round).saturating_mul(1_000_000).saturating_add(shop.id.saturating_mul(10));
    let amount = rng.i64(2_000..480_000);
    if trouble == Some(Trouble::NegativeFirst) && round == 0 {
        let debt = Amount::from_minor(-amount / 10, Currency::EUR);
        let earlier = before(Some(created), SignedDuration::from_hours(1));
        vouchers.push(Voucher::new(id.saturating_add(1), shop.id, &debt.decimal(), earlier));
    } else if trouble.is_none() && rng.u8(0..8) == 0 {
        // No sales in this cycle.
        return vouchers;
    }
    let commission = Amount::from_minor(amount * rng.i64(8..18) / 100, Currency::EUR);
    let amount = Amount::from_minor(amount, Currency::EUR);
    vouchers.push(Voucher::new(id, shop.id, &amount.decimal(), created).commission(&commission.decimal()));
    vouchers
}

/// Returns the time of issue: two hours into the cycle's day, one second later for each shop.
fn issued(cycle: Date, market: &Market, index: usize) -> Timestamp {
    let start = market.zone.to_timestamp(cycle.at(2, 0, 0, 0)).unwrap_or(Timestamp::UNIX_EPOCH);
    let seconds = i64::try_from(index).unwrap_or(0);
    start.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(start)
}

fn before(at: Option<Timestamp>, by: SignedDuration) -> Timestamp {
    at.and_then(|at| at.checked_sub(by).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns the name as part of a domain.
fn slug(name: &str) -> String {
    let plain = name.to_lowercase().replace(['é', 'è', 'ê'], "e").replace('É', "e");
    let words: Vec<String> = plain
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.join("-")
}
