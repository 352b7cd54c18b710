//! Jobs that share a commit, and jobs that fail.

use super::*;

fn job<T>(f: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static) -> Job<T> {
    Box::new(f)
}

#[test]
fn a_job_that_fails_or_panics_leaves_no_trace_and_the_others_stand() {
    let (_folder, store) = opened();
    put(&store, [item(1, "open", 0)]);
    let answers = in_one_group(
        &store,
        vec![
            job(|writer| writer.put(&item(2, "open", 0))),
            job(|writer| {
                writer.put(&item(1, "lost", 0))?;
                writer.delete::<Item>(&2)?;
                writer.put(&item(3, "lost", 0))?;
                writer.put_document("lost", &1)?;
                writer.next_id::<Item>()?;
                Err(StoreError::Closed)
            }),
            job(|writer| {
                writer.put(&item(4, "lost", 0))?;
                panic!("on purpose")
            }),
            job(|writer| writer.put(&item(5, "open", 0))),
        ],
    );
    assert_eq!((&answers[0], &answers[1], &answers[3]), (&Ok(()), &Err(StoreError::Closed), &Ok(())));
    assert!(matches!(&answers[2], Err(StoreError::Defect(text)) if text.contains("on purpose")), "{:?}", answers[2]);
    assert_eq!(walk(&store, &Query::group(Item::STATUS, "open")), [1, 2, 5]);
    assert_eq!(walk(&store, &Query::group(Item::STATUS, "lost")), [0; 0]);
    assert_eq!(walk(&store, &Query::all()), [1, 2, 5]);
    assert_eq!(store.read(|view| view.get_document::<u64>("lost")).unwrap(), None);
    assert_eq!(store.write_blocking(next_number), Ok(1));
}

#[test]
fn a_value_that_is_taken_is_a_conflict_for_that_job_alone() {
    let (_folder, store) = opened();
    let coded = |id, code: &str| Item { code: Some(code.to_owned()), ..item(id, "open", 0) };
    let (first, second, third) = (coded(1, "a"), coded(2, "a"), coded(3, "b"));
    let answers = in_one_group(
        &store,
        vec![
            job(move |writer| writer.put(&first)),
            job(move |writer| writer.put(&second)),
            job(move |writer| writer.put(&third)),
        ],
    );
    let conflict =
        StoreError::Conflict { collection: "items", index: "code", key: "2".to_owned(), holder: "1".to_owned() };
    assert_eq!(answers, [Ok(()), Err(conflict), Ok(())]);
    // Within one job as well; and a released value is free.
    let swapped = (item(1, "open", 0), coded(2, "a"), coded(4, "a"));
    let outcome: Result<(), StoreError> = store.write_blocking(move |writer| {
        writer.put(&swapped.0)?;
        writer.put(&swapped.1)?;
        assert!(matches!(writer.put(&swapped.2), Err(StoreError::Conflict { .. })));
        assert!(writer.get::<Item>(&4)?.is_none());
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
    assert_eq!(store.read(|view| view.by_unique(Item::CODE, "a")).unwrap().unwrap().id, 2);
}

#[test]
fn numbers_go_up_over_restarts() {
    let folder = folder();
    for expected in 1..4 {
        let store = open(folder.path());
        assert_eq!(store.write_blocking(next_number), Ok(expected));
    }
}

#[test]
fn closing_commits_what_is_queued_and_then_refuses() {
    let (folder, store) = opened();
    let queue = store.queue().unwrap();
    let mut answers = Vec::new();
    for id in 0..600 {
        let (job, answer) = super::super::queue::job(move |writer| writer.put(&item(id, "open", 0)));
        queue.blocking_send(job).unwrap();
        answers.push(answer);
    }
    drop(queue);
    let other = store.clone();
    store.close().unwrap();
    for answer in answers {
        assert_eq!(answer.blocking_recv().unwrap(), Ok(()));
    }
    assert_eq!(other.read(|view| view.total::<Item>()), Err(StoreError::Closed));
    assert_eq!(other.write_blocking(|writer| writer.put(&item(1, "", 0))), Err(StoreError::Closed));
    let again = open(folder.path());
    assert_eq!(again.read(|view| view.total::<Item>()), Ok(600));
}

#[test]
fn the_last_handle_may_go_down_with_a_job() {
    let (folder, store) = opened();
    let (job, answer) = super::super::queue::job({
        let store = store.clone();
        move |writer| {
            drop(store);
            writer.put(&item(1, "open", 0))
        }
    });
    store.queue().unwrap().blocking_send(job).unwrap();
    drop(store);
    assert_eq!(answer.blocking_recv().unwrap(), Ok(()));
    let options = StoreOptions::default();
    let again = Store::open_waiting(folder.path(), &options, &schema(), Duration::from_secs(20)).unwrap();
    assert!(get(&again, 1).is_some());
}
