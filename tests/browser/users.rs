//! Signing in before a test of a page.

use crate::browser::{Browser, Window};
use crate::world::Site;

/// The technical account's HiPay web service credentials.
pub(crate) const TECHNICAL: (&str, &str) = ("sandbox-login", "sandbox-password");

/// Opens the window, signs in with the technical account and ends at `path`.
pub(crate) async fn signed_in(window: Window, path: &str) -> Browser {
    signed_in_as(window, TECHNICAL, path).await
}

/// Opens the window, signs in as another user and ends at `path`.
pub(crate) async fn signed_in_as(window: Window, user: (&str, &str), path: &str) -> Browser {
    let browser = window.start().await;
    sign_in_as(&browser, user, path).await;
    browser
}

/// Signs in with the technical account, and ends at `path`.
pub(crate) async fn sign_in(browser: &Browser, path: &str) {
    sign_in_as(browser, TECHNICAL, path).await;
}

async fn sign_in_as(browser: &Browser, (login, password): (&str, &str), path: &str) {
    browser.open(path).await;
    // By the fields' names: the labels are in the language of the page.
    let fill = "const [login, password] = arguments;
        document.getElementById('_username').value = login;
        document.getElementById('_password').value = password;";
    browser.execute(fill, vec![login.into(), password.into()]).await.unwrap();
    browser.collect().await;
    browser.execute("document.querySelector('#login button').click()", Vec::new()).await.unwrap();
    browser.sees("cashout").await;
    browser.client.wait().for_element(fantoccini::Locator::Css("details.menu")).await.unwrap();
    browser.still().await;
}

/// Takes screenshots of a page at common widths, light and dark, and checks that it is accessible in each.
pub(crate) async fn is_presentable(site: &Site, path: &str, name: &str) {
    for width in [1440, 1024, 390] {
        for dark in [false, true] {
            let window = site.window().width(width);
            let browser = signed_in(if dark { window.dark() } else { window }, path).await;
            browser.is_accessible().await;
            browser.fits_the_window().await;
            browser.screenshot(name).await;
            browser.done().await;
        }
    }
}
