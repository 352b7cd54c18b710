//! Bodies that might be sent as a wallet notice: the fuzzer's corpus and changes of it, as a plain test.

use std::path::Path;
use std::time::{Duration, Instant};

use cashout::domain::money::Currency;
use cashout::domain::notification::{NoticeDocument, WalletNotice, form_field};
use cashout::platform::secret::Secret;
use cashout::remote::hipay::signature::verify_wallet_notice;
use fastrand::Rng;

/// Number of changes of each sample.
const CHANGES: u32 = 1_000;

/// Result of the receiver for a body: refused, not HiPay's, or a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Made {
    Refused,
    Foreign,
    Notice(Vec<(String, String)>),
}

fn received(body: &[u8]) -> Made {
    let xml = form_field(body).unwrap_or_else(|_| body.to_vec());
    let document = match NoticeDocument::read(&xml) {
        Ok(document) => document,
        Err(error) => {
            assert!(error.to_string().len() < 300, "{error}");
            return Made::Refused;
        }
    };
    let Some(verified) = verify_wallet_notice(&document, &Secret::new("pepper")) else { return Made::Foreign };
    let notice = verified.notice();
    assert_eq!(WalletNotice::read(verified.signed()).as_ref(), Ok(notice));
    assert_eq!(notice.account_id, document.account_id());
    let _ = (notice.meaning(), notice.amount(Currency::EUR));
    Made::Notice(notice.elements().to_vec())
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/wallet");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut samples: Vec<_> = files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    samples.sort();
    samples
}

/// Makes one change that a careless or hostile sender might make.
fn changed(sample: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut body = sample.to_vec();
    let at = rng.usize(..body.len());
    match rng.u8(..6) {
        0 => body.truncate(at),
        1 => body.insert(at, rng.u8(..)),
        2 => body.splice(at..=at, [rng.u8(..)]).for_each(drop),
        3 => drop(body.splice(at.., other.iter().copied().skip(rng.usize(..other.len())))),
        4 => body.extend_from_within(at..),
        _ => drop(
            body.splice(at..at, rng.choice(["%26", "%3C", "%3E", "%3C!--", "%0A", "%20", "<a>", "&"]).unwrap().bytes()),
        ),
    }
    body
}

/// Returns the minimum time for which the corpus is changed repeatedly: `CASHOUT_FUZZ_SECONDS`, or
/// zero for a single pass.
pub(crate) fn fuzzed_for() -> Duration {
    let seconds = std::env::var("CASHOUT_FUZZ_SECONDS").ok();
    Duration::from_secs(seconds.map_or(0, |seconds| seconds.parse().unwrap()))
}

#[test]
fn the_corpus_and_what_comes_of_it_is_refused_foreign_or_what_was_signed() {
    let samples = samples();
    assert!(samples.len() >= 15);
    let signed: Vec<Made> = samples.iter().map(|(_, sample)| received(sample)).collect();
    for ((name, _), made) in samples.iter().zip(&signed) {
        let stem = name.split('.').next().unwrap();
        let refused = ["cut", "deep", "entities", "wide"].contains(&stem);
        assert_eq!(matches!(made, Made::Refused), refused, "{name}: {made:?}");
        assert_eq!(matches!(made, Made::Notice(_)), !refused, "{name}: {made:?}");
    }
    let mut rng = Rng::with_seed(7);
    let end = Instant::now() + fuzzed_for();
    let (mut refused, mut foreign, mut unchanged) = (0_u32, 0_u32, 0_u32);
    while (refused, foreign) == (0, 0) || Instant::now() < end {
        for (_, sample) in &samples {
            for _ in 0..CHANGES {
                let other = rng.usize(..samples.len());
                let mut body = changed(sample, &samples[other].1, &mut rng);
                if rng.bool() && !body.is_empty() {
                    body = changed(&body, sample, &mut rng);
                }
                match received(&body) {
                    Made::Refused => refused += 1,
                    Made::Foreign => foreign += 1,
                    // Whatever was changed, only signed content is accepted.
                    notice @ Made::Notice(_) => {
                        assert!(signed.contains(&notice), "{notice:?}: {}", String::from_utf8_lossy(&body));
                        unchanged += 1;
                    }
                }
            }
        }
    }
    assert!(refused > 100 && foreign > 100 && unchanged > 100, "{refused} {foreign} {unchanged}");
}

#[test]
fn the_largest_body_of_the_worst_kind_is_dealt_with_in_time() {
    const LIMIT: usize = 64 * 1024;
    for piece in ["<a>", "<a/>", "&#38;", "&", "<!--x-->", " ", "<![CDATA[]]>", "><", "> ", "\u{e9}", "a=\"\" ", "%25"]
    {
        let filler = piece.repeat(LIMIT / piece.len());
        for body in [
            filler.clone(),
            format!("xml={filler}"),
            format!("<notification>{filler}"),
            format!(
                "<notification><md5content>{:032}</md5content><result><operation>a</operation><account_id>1</account_id><label>{filler}</label></result></notification>",
                0
            ),
            format!(
                "<notification><md5content>{:032}</md5content><result {filler}><operation>a</operation><account_id>1</account_id></result></notification>",
                0
            ),
        ] {
            assert!(!matches!(received(body.as_bytes()), Made::Notice(_)));
        }
    }
}
