//! Windows with a signed-in user in front of the dashboard.

use crate::browser::{Browser, Window};

/// The technical account's HiPay web service credentials.
pub(crate) const TECHNICAL: (&str, &str) = ("sandbox-login", "sandbox-password");

/// Opens the window, signs in and opens `path`.
pub(crate) async fn signed_in(window: Window, path: &str) -> Browser {
    signed_in_as(window, TECHNICAL, path).await
}

/// Opens the window, signs in as another user and opens `path`.
pub(crate) async fn signed_in_as(window: Window, (login, password): (&str, &str), path: &str) -> Browser {
    let browser = window.start().await;
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
    browser
}
