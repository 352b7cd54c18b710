//! Size of the pages: small, and without requests to other hosts.

use crate::users::sign_in;
use crate::world::Site;

/// Upper bound on the bytes transferred for the first load of a page.
const MOST: u64 = 60 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_visit_brings_less_than_60_kilobytes_one_style_and_two_scripts() {
    let site = Site::of_sixty_shops().await;
    let browser = site.window().start().await;
    browser.open("/dashboard/login").await;
    // The assets of the first page are cached by the browser, and count for each of the others.
    let assets: Vec<_> = browser.parts().await.into_iter().filter(|part| part.path.contains("/assets/")).collect();
    let ending = |end: &str| assets.iter().filter(|part| part.path.ends_with(end)).count();
    assert_eq!((ending(".css"), ending(".js")), (1, 2), "{assets:?}");
    let brought: u64 = assets.iter().map(|part| part.bytes).sum();
    assert!(brought > 5_000, "{assets:?}");
    sign_in(&browser, "/dashboard").await;
    for path in ["", "/vendors", "/transfers", "/transfers/3", "/payments", "/notifications", "/logs", "/settings"] {
        let path = format!("/dashboard{path}");
        browser.open(&path).await;
        let parts = browser.parts().await;
        let page: u64 = parts.iter().map(|part| part.bytes).sum();
        assert!(page + brought < MOST, "{path}: {page} and {brought} bytes: {parts:?}");
        let known = |part: &str| part.starts_with("/dashboard");
        assert!(parts.iter().all(|part| known(&part.path)), "{parts:?}");
    }
    browser.done().await;
    site.stop().await;
}
