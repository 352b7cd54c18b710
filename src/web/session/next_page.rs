//! Redirect target after the sign-in.

/// Path of the overview.
const HOME: &str = "/dashboard";
/// Upper bound on the length of an address of ours.
const MAX_LENGTH: usize = 2_000;

/// Returns `text` if it is the path of a page of ours, with its query; the overview otherwise. The text may come from
/// anybody: an address that a browser could take for another host, or that could mean another path than it seems, is
/// not followed.
pub fn safe_next(text: &str) -> &str {
    if is_safe(text) { text } else { HOME }
}

fn is_safe(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let is_ours = path.strip_prefix(HOME).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // A person who has just signed in must not be asked again.
    let is_door = ["/dashboard/login", "/dashboard/logout"].contains(&path.trim_end_matches('/'));
    is_ours
        && !is_door
        && text.len() <= MAX_LENGTH
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !text.contains("//")
        && path.split('/').all(is_plain_segment)
}

/// Returns true for a part of a path that means what it shows: a number, a name, a reference.
fn is_plain_segment(segment: &str) -> bool {
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(segment).collect();
    let hides = |byte: &u8| matches!(byte, b'/' | b'\\' | b'%' | b'?' | b'#') || byte.is_ascii_control();
    // A percent sign that is left after decoding encodes nothing of ours.
    !matches!(decoded.as_slice(), b"." | b"..") && !decoded.iter().any(hides)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pages_of_ours_are_gone_to() {
        for path in [
            "/dashboard",
            "/dashboard/",
            "/dashboard/vendors?status=warning&from=2026-11-01&q=a%2Fb",
            "/dashboard/payments/ABC%20d",
            "/dashboard/logs#table_logs",
            "/dashboard?page=2",
        ] {
            assert_eq!(safe_next(path), path);
        }
    }

    #[test]
    fn everything_else_leads_home() {
        for text in [
            "",
            "/",
            "/api/v1/settings",
            "/dashboardx",
            "/dashboard.evil.example",
            "//evil.example/dashboard",
            "/dashboard//evil.example",
            "/dashboard/..//evil.example",
            "/dashboard/../api",
            "/dashboard/%2e%2E/api",
            "/dashboard/.%2e/api",
            "/dashboard/%2f%2fevil.example",
            "/dashboard/%252e%252e/api",
            "/dashboard/%5cevil.example",
            "/dashboard/%0d%0aSet-Cookie:a=b",
            "/dashboard/\\evil.example",
            "\\dashboard",
            " /dashboard",
            "/dashboard\r\nLocation: https://evil.example",
            "/dashboard\t",
            "https://evil.example/dashboard",
            "javascript:alert(1)",
            "/dashboard?next=https://evil.example",
            "/dashboard/login",
            "/dashboard/login?next=/dashboard",
            "/dashboard/logout/",
        ] {
            assert_eq!(safe_next(text), HOME, "{text}");
        }
        assert_eq!(safe_next(&format!("/dashboard?q={}", "a".repeat(MAX_LENGTH))), HOME);
    }

    proptest! {
        /// Checks against a browser's own reading of the address, from the sign-in page.
        #[test]
        fn whatever_is_asked_for_it_is_a_page_of_this_host(
            start in prop::sample::select(vec!["", "/", "//", "/dashboard", "/dashboard/", "https://cashout.example", "\\"]),
            rest in r"([/\\.?#%@: \t\r\n]|%2[efEF]|%5[cC]|%25|%0[aAdD]|\.\.|evil\.example|dashboard|javascript|\PC){0,12}",
        ) {
            let text = format!("{start}{rest}");
            let base = reqwest::Url::parse("https://cashout.example/dashboard/login").unwrap();
            let reached = base.join(safe_next(&text)).unwrap();
            prop_assert_eq!(reached.origin(), base.origin());
            prop_assert!(reached.path() == HOME || reached.path().starts_with("/dashboard/"), "{}", reached);
            prop_assert_eq!(reached.username(), "");
        }
    }
}
