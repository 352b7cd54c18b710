//! Tests of `domain/payment/status.rs`.

use super::*;

fn numbers_of(outcome: PaymentOutcome) -> Vec<u32> {
    (0..1_000).filter(|&number| PaymentStatus(number).outcome() == outcome).collect()
}

#[test]
fn each_number_means_what_the_reference_says() {
    let accepted = [116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 131, 132, 165, 166];
    let pending = [101, 103, 104, 105, 106, 107, 112, 140, 141, 142, 150, 160, 161, 174, 175, 200];
    assert_eq!(numbers_of(PaymentOutcome::Accepted), accepted);
    assert_eq!(numbers_of(PaymentOutcome::Pending), pending);
    assert_eq!(numbers_of(PaymentOutcome::Declined), [108, 109, 110, 111, 113, 114, 115, 143, 151, 163, 173]);
    assert_eq!(numbers_of(PaymentOutcome::Disputed), [129]);
}

#[test]
fn what_has_a_meaning_has_a_name() {
    for number in 0..1_000 {
        let status = PaymentStatus(number);
        assert_eq!(status.name().is_some(), status.outcome() != PaymentOutcome::Unknown, "{number}");
    }
    assert_eq!(PaymentStatus(118).to_string(), "118 Captured");
    assert_eq!(PaymentStatus(777).to_string(), "777");
}
