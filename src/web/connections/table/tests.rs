//! Tests of `web/connections/table.rs`.

use proptest::prelude::*;

use super::*;

fn address(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

proptest! {
    /// Checks that there are never more connections than allowed, that none being answered gives way, and that an
    /// address below its share is admitted while any connection can give way.
    #[test]
    fn nobody_keeps_others_out(comings in prop::collection::vec((0_u8..6, any::<bool>()), 1..200)) {
        let (of_address, most) = (5, 12);
        let table = Table::default();
        let mut answering = Vec::new();
        for (number, (from, whole)) in (0_u64..).zip(comings) {
            let waits = {
                let open = table.lock();
                open.all.values().any(|(_, one)| one.is_waiting())
            };
            match table.admit(number, address(from), of_address, most) {
                Some(one) if whole => {
                    prop_assert!(one.begins());
                    answering.push((number, one));
                }
                Some(_) => {}
                None => {
                    let open = table.lock();
                    let own = open.of_address.get(&address(from)).map_or(0, BTreeSet::len);
                    prop_assert!(own >= of_address || (open.all.len() >= most && !waits));
                }
            }
            prop_assert!(table.len() <= most);
            prop_assert!(answering.iter().all(|(_, one)| !one.cut.is_cancelled()));
            prop_assert!(table.lock().of_address.values().all(|own| own.len() <= of_address));
            if number % 7 == 0
                && let Some((over, one)) = answering.pop()
            {
                one.is_being_written();
                one.is_written();
                table.remove(over);
            }
        }
    }
}

#[test]
fn who_has_the_most_gives_way_to_others() {
    let table = Table::default();
    let greedy: Vec<_> = (0..8).map(|number| table.admit(number, address(1), 100, 10).unwrap()).collect();
    let modest: Vec<_> = (8..10).map(|number| table.admit(number, address(2), 100, 10).unwrap()).collect();
    for number in 10..14 {
        assert!(table.admit(number, address(3), 100, 10).is_some());
    }
    assert_eq!(greedy.iter().filter(|one| one.cut.is_cancelled()).count(), 4);
    assert!(modest.iter().all(|one| !one.cut.is_cancelled()));
    // A connection that was cut begins no request any more.
    assert!(!greedy[0].begins() && greedy[7].begins());
}
