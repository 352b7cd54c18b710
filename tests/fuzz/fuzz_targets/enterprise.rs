//! Fuzzing of HiPay Enterprise's bodies: `cargo +nightly fuzz run --fuzz-dir tests/fuzz enterprise`.
//! The corpus also runs as a plain test (`tests/it/enterprise_bodies.rs`).
#![no_main]

use cashout::domain::enterprise::{EnterpriseNotification, masked_text, read};
use cashout::domain::payment::{Arrival, CustomerPayment, PaymentNotice};
use cashout::domain::settlement::Settlement;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let text = masked_text(body);
    assert_eq!(masked_text(text.as_bytes()), text);
    let arrival = Arrival { notification: 1, received_at: Timestamp::UNIX_EPOCH };
    match read(&text) {
        Ok(EnterpriseNotification::Payment(fields)) => {
            if let Ok(notice) = PaymentNotice::read(fields) {
                let _ = CustomerPayment::new(notice, arrival).outcome();
            }
        }
        Ok(EnterpriseNotification::Settlement(fields)) => drop(Settlement::read(fields, arrival)),
        Err(error) => drop(error.to_string()),
    }
});
