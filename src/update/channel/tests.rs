//! Tests of `update/channel.rs`.

use super::*;

#[test]
fn what_is_sealed_cannot_be_changed_and_nothing_else_passes_for_it() {
    let mut file = seal(&b"the archive"[..]).unwrap();
    assert!(is_sealed(&file));
    assert!(file.write_all(b"another").is_err() && file.set_len(1).is_err() && file.set_len(100).is_err());
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "the archive");
    let unsealed = memfd_create("x", MemfdFlags::ALLOW_SEALING).unwrap();
    assert!(!is_sealed(&unsealed));
    fcntl_add_seals(&unsealed, SealFlags::WRITE).unwrap();
    assert!(!is_sealed(&unsealed));
    assert!(!is_sealed(tempfile::tempfile().unwrap()) && !is_sealed(io::pipe().unwrap().0));
}

#[test]
fn a_message_arrives_with_its_file_and_the_end_is_noticed() {
    let (guard, worker) = GuardChannel::pair().unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"the archive").unwrap();
    file.rewind().unwrap();
    let start = GuardMessage::Start {
        trial: true,
        known: UpdateStatus::default(),
        credentials: Vec::new(),
        keeps_settings: false,
    };
    guard.send(&start, &[file.as_fd()]).unwrap();
    guard.send(&GuardMessage::Stop { at_once: true }, &[]).unwrap();
    let (told, mut files) = worker.receive::<GuardMessage>().unwrap().unwrap();
    let mut text = String::new();
    File::from(files.pop_front().unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!((told, text.as_str(), files.len()), (start, "the archive", 0));
    assert_eq!(worker.receive::<GuardMessage>().unwrap().unwrap().0, GuardMessage::Stop { at_once: true });
    drop(guard);
    assert!(worker.receive::<GuardMessage>().unwrap().is_none());
    assert!(worker.send(&WorkerMessage::Alive, &[]).is_err());
}

#[test]
fn what_a_later_release_says_is_passed_over() {
    let (guard, worker) = GuardChannel::pair().unwrap();
    guard.send(&serde_json::json!({ "told": "sing", "song": 1 }), &[]).unwrap();
    guard.send(&serde_json::json!({ "told": "stop", "at_once": false, "why": "new" }), &[]).unwrap();
    guard.send(&"rubbish", &[]).unwrap();
    assert_eq!(worker.receive::<GuardMessage>().unwrap().unwrap().0, GuardMessage::Unknown);
    assert_eq!(worker.receive::<GuardMessage>().unwrap().unwrap().0, GuardMessage::Stop { at_once: false });
    assert_eq!(worker.receive::<GuardMessage>().unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn an_end_that_does_not_read_keeps_nobody_waiting() {
    let (guard, worker) = GuardChannel::pair().unwrap();
    let mut told = 0_u32;
    let error = loop {
        match guard.send_at_once(&GuardMessage::Probe { nth: told }, &[]) {
            Ok(()) => told += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    for nth in 0..told {
        assert_eq!(worker.receive::<GuardMessage>().unwrap().unwrap().0, GuardMessage::Probe { nth });
    }
}

#[test]
fn what_is_too_long_is_not_sent() {
    let (guard, _worker) = GuardChannel::pair().unwrap();
    assert!(guard.send(&"x".repeat(MAX_LENGTH), &[]).is_err());
}
