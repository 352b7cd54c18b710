//! Tests of `logs/alerts.rs`.

use proptest::prelude::*;

use super::super::tests::line;
use super::*;
use crate::config::LogLevel;

#[test]
fn a_storm_is_a_few_sentences_with_counts() {
    let mut summary = AlertBatch::default();
    for number in 0..10_000_u64 {
        let mut one = line(LogLevel::Error, &format!("transfer {number} of {}.00 EUR failed", number * 7));
        one.mirakl_id = Some(number);
        summary.add(&one);
    }
    summary.add(&line(LogLevel::Critical, "the ledger differs"));
    assert_eq!(summary.groups.len(), 2);
    assert_eq!((summary.groups[0].count, summary.lines()), (10_000, 10_001));
    assert_eq!(summary.groups[0].mirakl_ids, [0, 1, 2, 3, 4]);
    assert_eq!(summary.by_level(), [(500, 1), (400, 10_000)]);
}

#[test]
fn the_worst_sentence_is_told_however_many_there_are() {
    let mut summary = AlertBatch::default();
    for number in 0..300_u32 {
        let words: String = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        summary.add(&line(LogLevel::Error, &words));
    }
    summary.add(&line(LogLevel::Emergency, "fire"));
    assert_eq!((summary.groups.len(), summary.lines()), (MAX_SENTENCES, 301));
    assert!(summary.groups.iter().any(|sentence| sentence.message == "fire"));
}

proptest! {
    #[test]
    fn no_line_is_lost_or_counted_twice_by_merging(levels in prop::collection::vec((0..8_usize, 0..40_u32), 0..250), at in 0..250_usize) {
        let lines: Vec<LogLine> = levels
            .iter()
            .map(|(level, words)| line(LogLevel::ALL[*level], &"x".repeat(usize::try_from(*words).unwrap())))
            .collect();
        let (first, second) = lines.split_at(at.min(lines.len()));
        let gather = |lines: &[LogLine]| lines.iter().fold(AlertBatch::default(), |mut all, one| { all.add(one); all });
        let mut merged = gather(first);
        merged.absorb(gather(second));
        prop_assert_eq!(merged.lines(), u64::try_from(lines.len()).unwrap());
        prop_assert_eq!(merged.by_level(), gather(&lines).by_level());
    }
}
