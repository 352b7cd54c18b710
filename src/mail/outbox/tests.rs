//! Tests of `mail/outbox.rs`.

use super::*;

#[test]
fn a_mail_is_tried_less_and_less_often_and_given_up_after_days() {
    let begun: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    let mut mail = Mail::alert(AlertBatch::default(), (AlertChannel::Mail, vec!["ops@example.com".to_owned()]), begun);
    let (mut now, mut waits) = (begun, Vec::new());
    while mail.state == MailState::Queued {
        mail.tried(now);
        if let Some(next) = mail.try_at {
            waits.push(next.duration_since(now).as_mins());
            now = next;
        }
    }
    assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(mail.state, MailState::GivenUp);
    assert!((120..=122).contains(&now.duration_since(begun).as_hours()), "{now}");
}
