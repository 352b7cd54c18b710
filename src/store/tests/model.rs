//! Random operations on the store, compared with the same operations on a map.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<u64, Item>;

#[derive(Debug, Clone)]
enum Step {
    Put(Item),
    Delete(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Keep,
    Fail,
    /// Success despite conflicts, which the job ignores.
    KeepPastConflicts,
}

#[derive(Debug, Clone)]
struct Plan {
    steps: Vec<Step>,
    end: End,
}

const STATUSES: [&str; 3] = ["", "a", "a\u{0}b"];

fn any_item() -> impl Strategy<Value = Item> {
    let status = prop::sample::select(STATUSES.to_vec());
    let code = prop::option::of(prop::sample::select(vec!["x".to_owned(), "y".to_owned(), "xy".to_owned()]));
    let tags = prop::collection::vec(prop::sample::select(vec!["t".to_owned(), "u".to_owned()]), 0..3);
    (0_u64..12, status, -2_i64..3, code, tags).prop_map(|(id, status, at, code, tags)| Item {
        code,
        tags,
        ..item(id, status, at)
    })
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![3 => any_item().prop_map(Step::Put), 1 => (0_u64..12).prop_map(Step::Delete)];
    let end = prop::sample::select(vec![End::Keep, End::Keep, End::KeepPastConflicts, End::Fail]);
    (prop::collection::vec(step, 0..5), end).prop_map(|(steps, end)| Plan { steps, end })
}

/// Runs the plan on the store. The job must see its own changes already.
fn run(plan: &Plan, writer: &mut Writer<'_>) -> Result<(), StoreError> {
    for step in &plan.steps {
        match step {
            Step::Put(item) => match writer.put(item) {
                Ok(()) => {
                    assert_eq!(writer.get::<Item>(&item.id)?.as_ref(), Some(item));
                    if let Some(code) = &item.code {
                        assert_eq!(writer.by_unique(Item::CODE, code)?.as_ref(), Some(item));
                    }
                }
                Err(StoreError::Conflict { .. }) if plan.end == End::KeepPastConflicts => {}
                Err(error) => return Err(error),
            },
            Step::Delete(id) => {
                let was_there = writer.get::<Item>(id)?.is_some();
                assert_eq!(writer.delete::<Item>(id)?, was_there);
            }
        }
    }
    if plan.end == End::Fail { Err(StoreError::Closed) } else { Ok(()) }
}

/// Runs the plan on the model, completely or not at all. Returns true if it succeeds.
fn play(plan: &Plan, model: &mut Model) -> bool {
    let before = model.clone();
    for step in &plan.steps {
        match step {
            Step::Put(item) => {
                let taken = |other: &Item| other.id != item.id && item.code.is_some() && other.code == item.code;
                if !model.values().any(taken) {
                    model.insert(item.id, item.clone());
                } else if plan.end != End::KeepPastConflicts {
                    *model = before;
                    return false;
                }
            }
            Step::Delete(id) => {
                model.remove(id);
            }
        }
    }
    if plan.end == End::Fail {
        *model = before;
    }
    plan.end != End::Fail
}

fn compare(store: &Store, model: &Model) {
    for id in 0..12 {
        assert_eq!(get(store, id).as_ref(), model.get(&id));
    }
    assert_eq!(walk(store, &Query::all().limit(3)), model.keys().copied().collect::<Vec<_>>());
    assert_eq!(
        walk(store, &Query::all().from(3_u64).to(9_u64)),
        model.range(3..9).map(|(id, _)| *id).collect::<Vec<_>>()
    );
    for status in STATUSES {
        let mut expected: Vec<_> =
            model.values().filter(|item| item.status == status).map(|item| (item.at, item.id)).collect();
        expected.sort_unstable();
        let ids = |rows: &[(i64, u64)]| rows.iter().map(|(_, id)| *id).collect::<Vec<_>>();
        let query = Query::group(Item::STATUS, status).limit(2);
        assert_eq!(walk(store, &query), ids(&expected));
        let bounded: Vec<_> = expected.iter().copied().filter(|(at, _)| (-1..2).contains(at)).collect();
        assert_eq!(walk(store, &query.clone().from(-1_i64).to(2_i64)), ids(&bounded));
        let count = store.read(|view| view.count(Item::STATUS, status)).unwrap();
        assert_eq!(count, u64::try_from(expected.len()).unwrap());
        let sum: i64 = expected.iter().map(|(at, _)| at * 3).sum();
        assert_eq!(store.read(|view| view.sum(Item::STATUS, status)).unwrap(), sum);
        expected.reverse();
        assert_eq!(walk(store, &query.descending()), ids(&expected));
    }
    for tag in ["t", "u"] {
        let expected: BTreeSet<u64> =
            model.values().filter(|item| item.tags.iter().any(|other| other == tag)).map(|item| item.id).collect();
        assert_eq!(walk(store, &Query::group(Item::TAG, tag).limit(3)), expected.into_iter().collect::<Vec<_>>());
    }
    for code in ["x", "y", "xy"] {
        let expected = model.values().find(|item| item.code.as_deref() == Some(code));
        assert_eq!(store.read(|view| view.by_unique(Item::CODE, code)).unwrap().as_ref(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_map(groups in prop::collection::vec((prop::collection::vec(any_plan(), 1..6), any::<bool>()), 1..8)) {
        let folder = folder();
        let mut store = open(folder.path());
        let mut model = Model::new();
        for (plans, reopen) in groups {
            let expected: Vec<bool> = plans.iter().map(|plan| play(plan, &mut model)).collect();
            let jobs = plans.into_iter().map(|plan| -> Job<()> { Box::new(move |writer| run(&plan, writer)) }).collect();
            let succeeded: Vec<bool> = in_one_group(&store, jobs).iter().map(Result::is_ok).collect();
            prop_assert_eq!(succeeded, expected);
            compare(&store, &model);
            if reopen {
                store.close().unwrap();
                store = open(folder.path());
                compare(&store, &model);
            }
        }
    }
}
