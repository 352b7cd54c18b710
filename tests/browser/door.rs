//! Windows with a signed-in user.

use crate::browser::{Browser, Window};
use crate::world::Site;

/// Opens a window in which the technical account has signed in.
pub(crate) async fn signed_in(site: &Site, window: Window) -> Browser {
    let browser = window.start().await;
    site.sign_in(&browser, "/dashboard/vendors").await;
    browser
}

/// Takes screenshots of a page at common widths, light and dark, and checks that it is accessible in each.
pub(crate) async fn looked_at(site: &Site, path: &str, name: &str) {
    for width in [1440, 1024, 390] {
        for dark in [false, true] {
            let window = site.window().width(width);
            let browser = signed_in(site, if dark { window.dark() } else { window }).await;
            browser.open(path).await;
            browser.is_accessible().await;
            browser.fits_the_window().await;
            browser.screenshot(name).await;
            browser.done().await;
        }
    }
}
