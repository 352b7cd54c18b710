//! Tests of `jobs/vendor/wallet_search.rs`.

use super::*;

#[test]
fn a_wallets_shop_is_told_by_its_external_id_or_by_its_login() {
    for (login, external, shop) in [
        ("mirakl_Shop_2001", None, Some(2001)),
        ("mirakl__2001", None, Some(2001)),
        ("mirakl_My_Shop_2001", None, Some(2001)),
        ("mirakl_Shop_2001", Some(7), Some(7)),
        ("", Some(7), Some(7)),
        ("other_2001", None, None),
        ("mirakl_2001", None, None),
        ("mirakl_Shop_x", None, None),
    ] {
        let member = GroupMember {
            hipay_id: Some(1),
            login: login.to_owned(),
            email: String::new(),
            external_account_id: external,
            identified: None,
        };
        assert_eq!(shop_of(&member), shop, "{login}");
    }
}
