//! Customers who pay or try to pay; a seed always produces the same stream of payments.

use jiff::{SignedDuration, Timestamp};

use super::EnterpriseNotice;
use crate::sandbox::chance::Chance;

/// Products with their brand, the first digits of their cards and a bank.
const CARDS: [(&str, &str, &str, &str); 4] = [
    ("cb", "VISA", "400000", "BANQUE DES DEUX RIVES"),
    ("visa", "VISA", "411111", "CAISSE DU LITTORAL"),
    ("mastercard", "MASTERCARD", "510510", "SPARKASSE AM FLUSS"),
    ("american-express", "AMERICANEXPRESS", "374111", "BANCO DEL PUERTO"),
];
const PEOPLE: [(&str, &str); 8] = [
    ("Nadia Fournel", "FR"),
    ("Émile Garance", "FR"),
    ("Jonas Brandt", "DE"),
    ("Lucía Peralta", "ES"),
    ("Wout de Graaf", "NL"),
    ("Chiara Fontana", "IT"),
    ("Margot L'Hermite", "FR"),
    ("Anouk & Sons", "BE"),
];
/// Reasons for which banks decline; the numbers are the sandbox's.
const REASONS: [(&str, &str); 3] =
    [("4010301", "Insufficient funds"), ("4010302", "Card expired"), ("4010303", "Declined by the bank")];

/// One stage of a payment: status, message, state, seconds since the payment began.
type Stage = (u32, &'static str, &'static str, i64);

const AUTHORISED: Stage = (116, "Authorized", "completed", 6);
const CAPTURE_REQUESTED: Stage = (117, "Capture Requested", "completed", 7);
const CAPTURED: Stage = (118, "Captured", "completed", 9);
const DAY: i64 = 86_400;

/// Courses of a payment, each with its percentage.
const LIVES: [(u8, &[Stage]); 9] = [
    (62, &[AUTHORISED, CAPTURE_REQUESTED, CAPTURED]),
    (
        8,
        &[
            AUTHORISED,
            CAPTURE_REQUESTED,
            CAPTURED,
            (124, "Refund Requested", "completed", 3 * DAY),
            (126, "Partially Refunded", "completed", 3 * DAY + 40),
        ],
    ),
    (3, &[AUTHORISED, CAPTURE_REQUESTED, CAPTURED, (125, "Refunded", "completed", 2 * DAY)]),
    (12, &[(113, "Refused", "declined", 5)]),
    (4, &[(109, "Authentication Failed", "declined", 90)]),
    (2, &[AUTHORISED, CAPTURE_REQUESTED, CAPTURED, (129, "Charged Back", "completed", 20 * DAY)]),
    (4, &[(112, "Authorized and Pending", "pending", 6)]),
    (3, &[AUTHORISED, (115, "Cancelled", "completed", DAY)]),
    (2, &[(200, "Pending Payment", "pending", 4)]),
];

/// The customers of one marketplace.
#[derive(Debug, Clone)]
pub struct Customers {
    chance: Chance,
    /// Start of the next payment.
    next_at: Timestamp,
    paid: u64,
    settled: u64,
    /// Sum since the last settlement, in cents.
    sales: i64,
    refunds: i64,
    chargebacks: i64,
}

impl Customers {
    /// Makes customers whose first payment begins at `first`.
    pub fn new(seed: u64, first: Timestamp) -> Self {
        let chance = Chance::new(seed);
        Self { chance, next_at: first, paid: 0, settled: 0, sales: 0, refunds: 0, chargebacks: 0 }
    }

    /// Sets the start of the next payment; by default it follows the previous one by some minutes.
    pub fn next_comes_at(&mut self, at: Timestamp) {
        self.next_at = at;
    }

    /// Makes the next payment or failed attempt and returns all notifications that HiPay sends about
    /// it, in order. Later stages may be days after the first.
    pub fn pay(&mut self) -> Vec<EnterpriseNotice> {
        let mut rng = self.chance.draw("payment");
        self.paid += 1;
        let begun = self.next_at;
        self.next_at += SignedDuration::from_secs(rng.i64(5..240));
        let amount = rng.i64(590..24_900);
        let card = CARDS.get(rng.usize(..CARDS.len())).copied().unwrap_or_default();
        let person = PEOPLE.get(rng.usize(..PEOPLE.len())).copied().unwrap_or_default();
        let last_digits = rng.u32(0..10_000);
        let life = draw_life(&mut rng);
        let reason = REASONS.get(rng.usize(..REASONS.len())).copied().unwrap_or_default();
        let mut notices = Vec::with_capacity(life.len());
        for &(status, message, state, after) in life {
            let captured = if matches!(status, 117..=129) { amount } else { 0 };
            let refunded = match status {
                124 | 126 => amount / 3,
                125 => amount,
                _ => 0,
            };
            self.add_to_settlement(status, amount, refunded);
            let mut fields = Listed::default();
            fields.add("state", state);
            if state == "declined" {
                fields.add("reason[code]", reason.0).add("reason[message]", reason.1);
            }
            fields.add("test", "false").add("mid", "00001234567").add("attempt_id", "1");
            fields.add("authorization_code", if state == "declined" { "" } else { "123456" });
            fields.add("transaction_reference", &format!("800{:09}", self.paid));
            fields.add("date_created", &date(begun, 0)).add("date_updated", &date(begun, after));
            if captured > 0 {
                fields.add("date_authorized", &date(begun, 6));
            }
            fields.add("status", &status.to_string()).add("message", message);
            fields.add("authorized_amount", &decimal(if state == "declined" { 0 } else { amount }));
            fields.add("captured_amount", &decimal(captured)).add("refunded_amount", &decimal(refunded));
            fields
                .add("decimals", "2")
                .add("currency", "EUR")
                .add("ip_address", "192.0.2.17")
                .add("ip_country", person.1);
            fields.add("custom_data[1]", &format!("basket {}", self.paid)).add("cdata1", "web");
            fields.add("eci", "7").add("payment_product", card.0);
            fields.add("payment_method[token]", &format!("{:016x}{:016x}", self.paid, amount.unsigned_abs()));
            fields.add("payment_method[brand]", card.1);
            fields.add("payment_method[pan]", &format!("{}******{last_digits:04}", card.2));
            fields.add("payment_method[card_holder]", person.0).add("payment_method[card_expiry_month]", "09");
            fields.add("payment_method[card_expiry_year]", "2029").add("payment_method[issuer]", card.3);
            fields.add("payment_method[country]", person.1);
            fields.add("fraud_screening[scoring]", "0").add("fraud_screening[result]", "accepted");
            fields.add_order(self.paid, begun, amount);
            if matches!(status, 124..=126) {
                fields.add("operation[type]", "refund").add("operation[id]", &format!("RMA-{}", self.paid));
                fields.add("operation[amount]", &decimal(refunded)).add("operation[currency]", "EUR");
            }
            notices.push(EnterpriseNotice { root: "notification", fields: fields.0 });
        }
        notices
    }

    /// Adds one stage of a payment to the next settlement.
    fn add_to_settlement(&mut self, status: u32, amount: i64, refunded: i64) {
        match status {
            118 => self.sales += amount,
            125 | 126 => self.refunds += refunded,
            129 => self.chargebacks += amount,
            _ => {}
        }
    }

    /// Makes HiPay's settlement of what was paid since the last one.
    pub fn settle(&mut self) -> EnterpriseNotice {
        self.settled += 1;
        let fees = self.sales / 50;
        let total = self.sales - self.refunds - self.chargebacks - fees;
        let mut fields = Listed::default();
        fields.add("account", "1234567").add("reference", &format!("SETTLEMENT-{:05}", self.settled));
        fields.add("sales", &decimal(self.sales)).add("refunds", &decimal(-self.refunds)).add("fees", &decimal(-fees));
        fields.add("chargeback", &decimal(-self.chargebacks)).add("rolling", "0.00").add("other", "0.00");
        fields.add("amount", &decimal(total)).add("currency", "EUR");
        (self.sales, self.refunds, self.chargebacks) = (0, 0, 0);
        EnterpriseNotice { root: "settlement", fields: fields.0 }
    }
}

#[derive(Default)]
struct Listed(Vec<(String, String)>);

impl Listed {
    fn add(&mut self, name: &str, value: &str) -> &mut Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds the fields of the order that the payment `nth` is for.
    fn add_order(&mut self, nth: u64, begun: Timestamp, amount: i64) {
        self.add("order[id]", &format!("ORDER-{nth:06}")).add("order[date_created]", &date(begun, 0));
        self.add("order[attempts]", "1").add("order[amount]", &decimal(amount)).add("order[shipping]", "4.90");
        self.add("order[tax]", &decimal(amount / 6)).add("order[decimals]", "2").add("order[currency]", "EUR");
        self.add("order[customer_id]", &format!("C{}", nth % 977)).add("order[language]", "fr_FR");
        self.add("order[email]", &format!("customer{nth}@mail.example"));
    }
}

/// Draws the course of a payment.
fn draw_life(rng: &mut fastrand::Rng) -> &'static [Stage] {
    let mut left = rng.u8(0..100);
    for (share, stages) in LIVES {
        if left < share {
            return stages;
        }
        left -= share;
    }
    &[]
}

fn date(begun: Timestamp, after: i64) -> String {
    begun.checked_add(SignedDuration::from_secs(after)).unwrap_or(begun).strftime("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}
