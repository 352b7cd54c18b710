//! Pages about problems with a request: in the reader's language, with a way to continue. Programs
//! get the same in English.

use crate::users::signed_in;
use crate::world::Site;

/// Address, status, and the text of the page in English and in French.
const PROBLEMS: [(&str, u16, &str, &str); 9] = [
    ("/dashboard/transfers/999999", 404, "there is no such operation", "Cette opération n’existe pas."),
    ("/dashboard/vendors/999999", 404, "there is no such vendor", "Ce vendeur n’existe pas."),
    ("/dashboard/payments/999999", 404, "there is no such payment", "Ce paiement n’existe pas."),
    (
        "/dashboard/transfers/first",
        404,
        "not a number that cashout has assigned",
        "n’est pas un numéro attribué par cashout",
    ),
    ("/dashboard/settings/run", 405, "does not take that method", "Cette adresse n’accepte pas cette méthode."),
    (
        "/dashboard/vendors?from=yesterday",
        400,
        "from: not a point in time; allowed: a day such as 2026-11-21",
        "«\u{a0}from\u{a0}»\u{a0}: ce n’est pas une date. Écrivez un jour comme 2026-11-21",
    ),
    (
        "/dashboard/vendors?country=F",
        400,
        "allowed: codes such as FR or FRA",
        "Pays\u{a0}: écrivez un code comme FR ou FRA.",
    ),
    ("/dashboard/logs?page=9999", 400, "allowed: 1 to 500", "Page\u{a0}: de 1 à 500."),
    (
        "/dashboard/logs?level=LOUD",
        400,
        "level: unknown variant `LOUD`",
        "«\u{a0}level\u{a0}» ne peut pas valoir «\u{a0}LOUD\u{a0}»",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_is_told_in_the_language_of_the_page() {
    let site = Site::new().await;
    for language in ["en", "fr"] {
        let browser = signed_in(site.window().language(language), "/dashboard/vendors").await;
        browser.allow_finding("Failed to load resource");
        // The browser's warning about a field that the address fills with an invalid value.
        browser.allow_finding("does not conform to the required format");
        for (address, status, english, french) in PROBLEMS {
            browser.expect_finding(&format!("answered {status}"));
            browser.open(address).await;
            browser.sees(if language == "en" { english } else { french }).await;
            // It is a page of the dashboard, with links to continue.
            browser.sees("cashout 0.").await;
            assert_eq!(browser.count("main a[href^='/dashboard']").await.min(1), 1, "{address}");
        }
        browser.is_accessible().await;
        // A program gets English, whatever the language of its browser.
        let told = browser.download("/api/v1/operations/999999").await;
        assert!(told.text().contains("\"title\":\"there is no such operation\""), "{}", told.text());
        browser.done().await;
    }
    site.stop().await;
}
