//! Tests of `remote/mod.rs`.

use super::*;

#[test]
fn the_wait_is_what_the_remote_asks_within_bounds_and_grows_otherwise() {
    let remote = Remote::new("HiPay", "http://127.0.0.1:1", ClientPolicy::default()).unwrap();
    let asked =
        |seconds| CallError::NotSent { reason: Message::none(), retry_after: Some(Duration::from_secs(seconds)) };
    assert_eq!(remote.wait_after(&asked(7), 1), Duration::from_secs(7));
    assert_eq!(remote.wait_after(&asked(300), 1), Duration::from_mins(5));
    assert_eq!(remote.wait_after(&asked(86_400), 1), Duration::from_mins(15));
    let silent = CallError::unknown(Message::none());
    for tried in 1..70 {
        let wait = remote.wait_after(&silent, tried);
        assert!(wait >= Duration::from_millis(250) && wait <= Duration::from_mins(1), "{tried}: {wait:?}");
    }
}

#[tokio::test]
async fn a_closed_port_means_not_sent() {
    let manners = ClientPolicy { tries: 1, ..ClientPolicy::default() };
    let remote = Remote::new("HiPay", "http://127.0.0.1:1", manners).unwrap();
    let error = remote
        .change(JSON_LIMIT, || remote.client().get("http://127.0.0.1:1/"), |answer| Ok(answer.status))
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
}
