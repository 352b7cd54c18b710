//! Fuzzing of wallet notices: `cargo +nightly fuzz run --fuzz-dir tests/fuzz wallet`. The corpus also
//! runs as a plain test (`tests/it/wallet_bodies.rs`).
#![no_main]

use cashout::domain::money::Currency;
use cashout::domain::notification::{NoticeDocument, WalletNotice, form_field};
use cashout::platform::secret::Secret;
use cashout::remote::hipay::signature::verify_wallet_notice;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    // An input without the form field is the document itself, because the form offers little to explore.
    let xml = form_field(body).unwrap_or_else(|_| body.to_vec());
    let Ok(document) = NoticeDocument::read(&xml) else { return };
    if let Some(verified) = verify_wallet_notice(&document, &Secret::new("pepper")) {
        assert_eq!(WalletNotice::read(verified.signed()).as_ref(), Ok(verified.notice()));
        assert_eq!(verified.notice().account_id, document.account_id());
    }
    for form in document.forms() {
        if let Ok(notice) = WalletNotice::read(form) {
            let _ = (notice.meaning(), notice.amount(Currency::EUR));
        }
    }
});
