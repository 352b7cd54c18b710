//! The language of a page: the user's choice, else `dashboard.locale`, else the browser's.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::Address;
use crate::text::Locale;
use crate::web::cookies::cookies;

/// Name of the cookie that keeps the choice for a year.
const COOKIE: &str = "cashout_language";

/// Returns the code of a language in addresses and headers.
pub(super) fn code(locale: Locale) -> &'static str {
    match locale {
        Locale::English => "en",
        Locale::French => "fr",
    }
}

fn of_code(code: &str) -> Option<Locale> {
    [Locale::English, Locale::French].into_iter().find(|locale| self::code(*locale) == code)
}

/// Returns the language for a request with these headers.
pub(super) fn of(headers: &HeaderMap, configured: Option<Locale>) -> Locale {
    let chosen = cookies(headers, COOKIE).find_map(of_code);
    let accepted = || headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok().and_then(preferred);
    chosen.or(configured).or_else(accepted).unwrap_or(Locale::English)
}

/// Returns the first of a browser's languages that we have, by its weights.
fn preferred(accepted: &str) -> Option<Locale> {
    let weighed = accepted.split(',').filter_map(|part| {
        let (language, weight) = part.split_once(';').unwrap_or((part, "q=1"));
        let locale = of_code(language.trim().split('-').next()?.to_ascii_lowercase().as_str())?;
        // "q=0.85" as thousandths; anything else counts as 1.
        let digits = weight.trim().strip_prefix("q=0").map(|rest| rest.trim_start_matches('.'));
        let thousandths = digits.map_or(1_000, |digits| format!("{digits:0<3}").parse::<u32>().unwrap_or(0));
        Some((thousandths, locale))
    });
    // The first of equal weights wins.
    let best = weighed.filter(|(weight, _)| *weight > 0).reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, locale)| locale)
}

/// Handles a link with `lang`: stores the language and redirects to the same page without it.
pub(super) async fn choose(request: Request, next: Next) -> Response {
    let address = Address::new(request.uri().path(), request.uri().query());
    let chosen = of_code(address.value("lang")).filter(|_| request.method() == Method::GET);
    let Some(locale) = chosen else { return next.run(request).await };
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", code(locale));
    let mut response = Redirect::to(&address.without("lang")).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_asked_last() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
        };
        let (english, french) = (Locale::English, Locale::French);
        let browser = headers(&[("accept-language", "de, en;q=0.5, fr-CH;q=0.85, *;q=0.1")]);
        assert_eq!(of(&browser, None), french);
        assert_eq!(of(&browser, Some(english)), english);
        let chosen = headers(&[("accept-language", "en"), ("cookie", "a=b; cashout_language=fr")]);
        assert_eq!(of(&chosen, Some(english)), french);
        for rubbish in ["", ";;q=", "fr;q=0", "q=0.5", ",,,", "fr;q=0.000"] {
            assert_eq!(of(&headers(&[("accept-language", rubbish)]), None), english, "{rubbish}");
        }
    }
}
