//! The way in.

use crate::browser::{Browser, Window};

/// A window in which the technical account has signed in.
pub(crate) async fn signed_in(window: Window) -> Browser {
    let browser = window.start().await;
    browser.open("/dashboard/login").await;
    browser.fill("HiPay web service login", "sandbox-login").await;
    browser.fill("Password", "sandbox-password").await;
    browser.click("Sign in").await;
    browser.sees("Mirakl ID").await;
    browser
}

/// Pictures of a page at the widths that people have, light and dark; everybody can use it at each.
pub(crate) async fn looked_at(window: impl Fn() -> Window, path: &str, name: &str) {
    for width in [1440, 1024, 390] {
        for dark in [false, true] {
            let window = window().width(width);
            let browser = signed_in(if dark { window.dark() } else { window }).await;
            browser.open(path).await;
            browser.is_accessible().await;
            browser.fits_the_window().await;
            browser.screenshot(name).await;
            browser.done().await;
        }
    }
}
