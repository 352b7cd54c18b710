//! Signing in and out as a user.

use crate::users::sign_in;
use crate::world::Site;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_comes_to_the_page_that_was_asked_for_and_can_leave_again() {
    let site = Site::new().await;
    let browser = site.window().start().await;
    browser.expect_finding("401");
    browser.open("/dashboard/transfers?withdraw_status=failed").await;
    browser.sees("the statuses of your vendors, transfers and withdrawals").await;
    browser.is_accessible().await;
    browser.screenshot("sign-in").await;

    browser.fill("HiPay web service login", "somebody").await;
    browser.fill("Password", "something").await;
    browser.click("Sign in").await;
    browser.sees("The login or the password is wrong.").await;
    assert_eq!(browser.value("HiPay web service login").await, "somebody");
    assert_eq!(browser.value("Password").await, "");

    let credentials = site.world.sandbox.credentials();
    browser.fill("HiPay web service login", &credentials.ws_login).await;
    browser.fill("Password", credentials.ws_password.expose()).await;
    browser.click("Sign in").await;
    browser.sees("Nothing matches these filters").await;
    assert_eq!(browser.address().await, "/dashboard/transfers?withdraw_status=failed");
    browser.click(&credentials.ws_login).await;
    browser.click("Sign out").await;
    browser.sees("HiPay web service login").await;
    browser.open("/dashboard/vendors").await;
    browser.sees("HiPay web service login").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_needs_no_javascript_and_speaks_french() {
    let site = Site::new().await;
    let browser = site.window().without_javascript().language("fr").start().await;
    browser.open("/dashboard/vendors").await;
    browser.sees("Connexion à cashout").await;
    let credentials = site.world.sandbox.credentials();
    browser.fill("Identifiant web service HiPay", &credentials.ws_login).await;
    browser.fill("Mot de passe", credentials.ws_password.expose()).await;
    browser.click("Se connecter").await;
    browser.sees("Aucun vendeur pour l’instant").await;
    browser.click("English").await;
    browser.sees("No vendors yet").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_everywhere_ends_the_session_at_another_desk() {
    let site = Site::new().await;
    let here = site.window().start().await;
    sign_in(&here, "/dashboard/vendors").await;
    let there = site.window().start_beside(&here).await;
    sign_in(&there, "/dashboard/vendors").await;
    here.click(&site.world.sandbox.credentials().ws_login).await;
    here.click("Sign out everywhere").await;
    here.sees("HiPay web service login").await;
    there.click("Transfers & withdrawals").await;
    there.sees("HiPay web service login").await;
    here.done().await;
    there.done().await;
    site.stop().await;
}
