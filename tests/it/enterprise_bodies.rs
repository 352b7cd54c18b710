//! Bodies that HiPay Enterprise might send, and others that it never would: the fuzzer's corpus and
//! mutations of it, as a plain test.

use std::path::{Path, PathBuf};
use std::time::Instant;

use cashout::domain::enterprise::{EnterpriseNotification, NotificationFields, masked_text, read};
use cashout::domain::payment::{Arrival, PaymentNotice};
use cashout::domain::settlement::Settlement;
use fastrand::Rng;
use jiff::Timestamp;

use crate::wallet_bodies::fuzzed_for;

/// Number of mutations of each sample.
const MUTATIONS: u64 = 400;

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/enterprise");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Reads the body as the receiver does; returns the fields, if any.
fn received(body: &[u8]) -> Option<NotificationFields> {
    let text = masked_text(body);
    assert_eq!(masked_text(text.as_bytes()), text);
    // A byte that is not UTF-8 becomes two, and a number in JSON gets quotes.
    assert!(text.len() <= body.len() * 2);
    let arrival = Arrival { notification: 1, received_at: Timestamp::UNIX_EPOCH };
    match read(&text) {
        Ok(EnterpriseNotification::Payment(fields)) => {
            if let Ok(notice) = PaymentNotice::read(fields.clone()) {
                let stored = serde_json::to_vec(&notice).unwrap();
                assert_eq!(serde_json::from_slice::<PaymentNotice>(&stored).unwrap(), notice);
            }
            Some(fields)
        }
        Ok(EnterpriseNotification::Settlement(fields)) => {
            let _ = Settlement::read(fields.clone(), arrival);
            Some(fields)
        }
        Err(error) => {
            assert!(error.to_string().len() < 500, "{error}");
            None
        }
    }
}

/// Makes one to three changes that a careless or hostile sender might make.
fn mutated(sample: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut body = sample.to_vec();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=body.len());
        match rng.u8(..6) {
            0 => body.truncate(at),
            1 => body.insert(at, rng.u8(..)),
            2 => body.insert(at, *rng.choice(b"&=[]%+<>\"{}\\;#*0 ").unwrap()),
            3 => drop(body.splice(at.., other.iter().copied().skip(rng.usize(..=other.len())))),
            4 => body.extend_from_within(at..),
            _ => {
                if let Some(byte) = body.get_mut(at) {
                    *byte = rng.u8(..);
                }
            }
        }
    }
    body
}

#[test]
fn the_corpus_and_what_comes_of_it_is_read_or_refused() {
    let corpus = corpus();
    assert!(corpus.len() > 10);
    let mut rng = Rng::with_seed(1);
    let (mut readable, mut refused) = (0, 0);
    let end = Instant::now() + fuzzed_for();
    while (readable, refused) == (0, 0) || Instant::now() < end {
        for (path, sample) in &corpus {
            let fields = received(sample);
            let broken = ["entity.xml", "deep.json", "broken.xml"].iter().any(|name| path.ends_with(name));
            assert_eq!(fields.is_none(), broken, "{}", path.display());
            for (name, value) in fields.iter().flat_map(NotificationFields::iter) {
                assert!(
                    !value.contains("4111111111111111") && !value.contains("4111 1111"),
                    "{}: {name}",
                    path.display()
                );
            }
            for _ in 0..MUTATIONS {
                let other = &rng.choice(&corpus).unwrap().1;
                let body = mutated(sample, other, &mut rng);
                if received(&body).is_some() { readable += 1 } else { refused += 1 }
            }
        }
    }
    assert!(readable > 100 && refused > 100, "{readable} {refused}");
}

#[test]
fn the_largest_body_of_the_worst_kind_is_dealt_with_in_time() {
    let limit = 64 * 1024;
    let kinds = [
        "1 2 ",
        "4111111111111111",
        "%25",
        "&#x34;",
        "a=1&",
        "<a>",
        "{\"a\":",
        "cvc ",
        "\\u0034",
        "1-",
        "[",
        "\u{e9}1",
    ];
    for kind in kinds {
        let body = kind.repeat(limit / kind.len());
        received(body.as_bytes());
        received(format!("<a>{body}</a>").as_bytes());
        received(format!("{{\"a\":\"{body}\"}}").as_bytes());
        received(format!("a={body}").as_bytes());
    }
}
