//! Tests of `web/pages/address.rs`.

use proptest::prelude::*;

use super::*;

#[test]
fn links_change_one_thing() {
    let address = Address::new("/dashboard/vendors", Some("status=warning&q=&page=3&cursor=ab&sort=date"));
    assert_eq!(address.with("sort", "-date"), "/dashboard/vendors?status=warning&sort=-date");
    assert_eq!(address.page(4, Some("cd")), "/dashboard/vendors?status=warning&sort=date&page=4&cursor=cd");
    assert_eq!(address.export(), "/dashboard/vendors.csv?status=warning&sort=date");
    assert!(address.narrows() && address.has("status", "warning") && address.value("q").is_empty());
    assert!(!Address::new("/dashboard/vendors", Some("page=2&sort=date")).narrows());
}

proptest! {
    #[test]
    fn what_was_asked_is_kept_as_it_was(value in "[^ ].{0,40}") {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", &value).finish();
        let link = Address::new("/dashboard/logs", Some(&query)).page(2, None);
        let (path, query) = link.split_once('?').unwrap();
        let read = Address::new(path, Some(query));
        prop_assert_eq!(read.value("q"), if value.trim().is_empty() { "" } else { value.as_str() });
        prop_assert_eq!(read.value("page"), "2");
    }
}
