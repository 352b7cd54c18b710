//! Tests of `store/query.rs`.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_cursor_is_understood_by_its_own_list_alone(key: Vec<u8>) {
        let cursor = Cursor::of(&key, "operations", b"status");
        prop_assert!(cursor.to_string().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let returned = Cursor::new(cursor.to_string());
        prop_assert_eq!(returned.key("operations", b"status"), Some(key));
        prop_assert_eq!(returned.key("operations", b""), None);
        prop_assert_eq!(returned.key("vendors", b"status"), None);
    }

    #[test]
    fn other_text_is_refused(text in ".{0,40}") {
        prop_assert_eq!(Cursor::new(text).key("operations", b""), None);
    }
}
