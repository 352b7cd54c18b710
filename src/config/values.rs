//! Parsers of single values: each function takes the text of a setting and returns the value, or a message with
//! the problem and the allowed values.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use ipnet::IpNet;
use isocountry::CountryCode;
use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use thiserror::Error;

use super::error::quote_value;
use super::settings::{LogLevel, TimeWindow};
use crate::text::message::{Message, msg};

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} is not a duration; allowed: a whole number with seconds, minutes, hours, days or weeks, such as 30 minutes, 12 hours, 12h or 7d", quote_value(.0))]
pub struct DurationError(String);

/// Parses `12 hour`, `12 hours`, `12h`, `7d`, `30 minutes`, or several of them in a row (`1 day 6 hours`). A
/// day has 24 hours.
pub fn parse_duration(text: &str) -> Result<SignedDuration, DurationError> {
    let wrong = || DurationError(text.to_owned());
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut seconds: i64 = 0;
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |letter| letter.is_ascii_digit());
        let (unit, after) = split_while(after.trim_start(), |letter| letter.is_ascii_alphabetic());
        let length = match unit.to_ascii_lowercase().as_str() {
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 604_800,
            _ => return Err(wrong()),
        };
        let number: i64 = number.parse().map_err(|_| wrong())?;
        seconds = number.checked_mul(length).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = after.trim_start();
    }
    Ok(SignedDuration::from_secs(seconds))
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !belongs(letter)).unwrap_or(text.len()))
}

/// Parses a duration of at most 31 days.
pub(super) fn interval(text: &str) -> Result<SignedDuration, Message> {
    let duration = parse_duration(text).map_err(|error| msg!("value-duration", value = quote_value(&error.0)))?;
    if duration > SignedDuration::from_hours(31 * 24) {
        return Err(msg!("value-interval", value = quote_value(text)));
    }
    Ok(duration)
}

/// Returns a parser of a whole number within a range.
pub(super) fn within<T: FromStr + PartialOrd + Display>(
    allowed: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, Message> {
    move |text| match text.trim().parse() {
        Ok(number) if allowed.contains(&number) => Ok(number),
        _ => {
            let (least, most) = (allowed.start().to_string(), allowed.end().to_string());
            Err(msg!("value-within", value = quote_value(text), least, most))
        }
    }
}

/// Parses a day that every month has.
pub(super) fn cycle_day(text: &str) -> Result<i8, Message> {
    within(1..=28)(text).map_err(|_| msg!("value-cycle-day", value = quote_value(text)))
}

/// Parses a retention period in days: 0 for unlimited, otherwise at least 30.
pub(super) fn retention_days(text: &str) -> Result<u32, Message> {
    within(0..=36_500)(text)
        .ok()
        .filter(|days| *days == 0 || *days >= 30)
        .ok_or_else(|| msg!("value-days-kept", value = quote_value(text)))
}

/// Parses a maximum number of log lines: 0 for unlimited, otherwise at least 1,000.
pub(super) fn log_lines(text: &str) -> Result<u64, Message> {
    let lines = within(0..=100_000_000)(text).ok().filter(|lines| *lines == 0 || *lines >= 1_000);
    lines.ok_or_else(|| msg!("value-log-lines", value = quote_value(text)))
}

/// Returns a parser of one of a few words.
pub(super) fn one_of<T: Copy>(choices: &[(&str, T)]) -> impl Fn(&str) -> Result<T, Message> {
    move |text| {
        choices.iter().find(|(word, _)| *word == text.trim()).map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            msg!("value-one-of", value = quote_value(text), allowed = words.join(", "))
        })
    }
}

/// Accepts any text.
#[expect(clippy::unnecessary_wraps, reason = "has the signature of the other parsers")]
pub(super) fn any_text(text: &str) -> Result<String, Message> {
    Ok(text.to_owned())
}

/// Returns true for a text that is not empty and has only characters for which `belongs` returns true.
fn consists_of(text: &str, belongs: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(belongs)
}

/// Parses a host, a domain or a network that is reached without the proxy; `*.example.com` means the domain.
pub(super) fn without_proxy(text: &str) -> Result<String, Message> {
    let name = text.trim().strip_prefix("*.").unwrap_or(text.trim());
    let is_network = name.parse::<IpAddr>().is_ok() || name.parse::<IpNet>().is_ok();
    let is_name = consists_of(name, |letter| letter.is_alphanumeric() || "-._".contains(letter));
    if name == "*" || is_network || is_name {
        return Ok(name.to_owned());
    }
    Err(msg!("value-without-proxy", value = quote_value(text)))
}

/// Parses the address of another server: https, or http on this machine. The result has no trailing slash.
pub(super) fn url(text: &str) -> Result<String, Message> {
    let Ok(url) = reqwest::Url::parse(text.trim()) else {
        // An invalid address might contain a password before its @.
        return Err(if text.contains('@') {
            msg!("value-url-secret")
        } else {
            msg!("value-url", value = quote_value(text))
        });
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(msg!("value-url-password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(msg!("value-url-goes-on", value = quote_value(text)));
    }
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let this_machine = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && this_machine);
    if !is_safe {
        return Err(msg!("value-url-unencrypted", value = quote_value(text)));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// First segments of this server's own paths; below one of them, requests would be ambiguous.
const OWN_PATHS: [&str; 8] =
    ["dashboard", "api", "notifications", "index.php", "healthz", "readyz", "metrics", "setup"];

/// Parses the address at which others reach this server; it may have a path.
pub(super) fn public_url(text: &str) -> Result<String, Message> {
    let address = url(text)?;
    let path = path_of(&address);
    match path.trim_start_matches('/').split('/').next() {
        Some(first) if OWN_PATHS.contains(&first) => {
            Err(msg!("value-own-path", value = quote_value(text), path = first))
        }
        _ => Ok(address),
    }
}

/// Returns the path of an address, without a trailing slash.
pub(super) fn path_of(address: &str) -> String {
    reqwest::Url::parse(address).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}

/// Parses an address for requests, which keeps its query.
pub(super) fn address(text: &str) -> Result<String, Message> {
    let text = text.trim();
    let (before, query) = split_while(text, |letter| letter != '?');
    let url = url(before)?;
    let slash = if before.ends_with('/') { "/" } else { "" };
    Ok(format!("{url}{slash}{query}"))
}

/// Parses the address of an API, with or without its `/api`.
pub(super) fn url_before_api(text: &str) -> Result<String, Message> {
    let url = url(text)?;
    Ok(url.strip_suffix("/api").unwrap_or(&url).trim_end_matches('/').to_owned())
}

/// Parses an e-mail address. The check only catches typing errors; only the mail server knows for sure.
pub(super) fn email(text: &str) -> Result<String, Message> {
    let text = text.trim();
    let in_local = |letter: char| !letter.is_whitespace() && !letter.is_control() && !"<>,;:@\"".contains(letter);
    let is_label = |label: &str| consists_of(label, |letter| letter.is_alphanumeric() || letter == '-');
    let good = text
        .split_once('@')
        .is_some_and(|(local, domain)| consists_of(local, in_local) && domain.split('.').all(is_label));
    if good { Ok(text.to_owned()) } else { Err(msg!("value-email", value = quote_value(text))) }
}

/// Parses the name of a machine.
pub(super) fn host_name(text: &str) -> Result<String, Message> {
    let text = text.trim();
    let is_label = |label: &str| consists_of(label, |letter| letter.is_ascii_alphanumeric() || letter == '-');
    if text.split('.').all(is_label) {
        Ok(text.to_owned())
    } else {
        Err(msg!("value-host-name", value = quote_value(text)))
    }
}

/// Parses a country, alpha-2 or alpha-3; returns alpha-3.
pub(super) fn country(text: &str) -> Result<String, Message> {
    let text = text.trim();
    CountryCode::for_alpha3_caseless(text)
        .or_else(|_| CountryCode::for_alpha2_caseless(text))
        .map(|country| country.alpha3().to_owned())
        .map_err(|_| msg!("value-country", value = quote_value(text)))
}

/// Parses a language with its country, in HiPay's spelling.
pub(super) fn locale(text: &str) -> Result<String, Message> {
    let text = text.trim();
    match text.as_bytes() {
        [b'a'..=b'z', b'a'..=b'z', b'_', b'A'..=b'Z', b'A'..=b'Z'] => Ok(text.to_owned()),
        _ => Err(msg!("value-locale", value = quote_value(text))),
    }
}

/// Parses the name of a time zone in the built-in database; returns the zone and its name.
pub(super) fn time_zone(text: &str) -> Result<(TimeZone, String), Message> {
    let zone = TimeZone::get(text.trim()).map_err(|_| msg!("value-time-zone", value = quote_value(text)))?;
    let name = zone.iana_name().unwrap_or_else(|| text.trim()).to_owned();
    Ok((zone, name))
}

/// Parses a cron expression of five fields.
pub(super) fn cron(text: &str) -> Result<Cron, Message> {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build().parse(text).map_err(|error| {
        let (value, why) = (quote_value(text), error.to_string());
        let example = "minute, hour, day of the month, month, day of the week, such as '30 0 * * *'";
        let english =
            format!("{value} is not a cron expression ({why}); allowed: {example}; empty switches the batch off");
        Message::worded(english, "value-cron", [("value", value.into())])
    })
}

/// Parses an IP address with a port.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Message> {
    text.trim().parse().map_err(|_| msg!("value-listen", value = quote_value(text)))
}

/// Parses an IP address or a network.
pub(super) fn network(text: &str) -> Result<IpNet, Message> {
    let text = text.trim();
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| msg!("value-network", value = quote_value(text)))
}

/// Parses a level by number or name; returns `None` for "none".
pub(super) fn log_level(text: &str) -> Result<Option<LogLevel>, Message> {
    let text = text.trim();
    if text == "9999" || text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let named = |level: &LogLevel| text == level.number().to_string() || text.eq_ignore_ascii_case(level.name());
    LogLevel::ALL.into_iter().find(named).map(Some).ok_or_else(|| {
        let all: Vec<String> =
            LogLevel::ALL.iter().map(|level| format!("{} ({})", level.number(), level.name())).collect();
        msg!("value-log-level", value = quote_value(text), allowed = all.join(", "))
    })
}

/// Parses a time of day.
pub(super) fn time_of_day(text: &str) -> Result<Time, Message> {
    hour_and_minute(text).ok_or_else(|| msg!("value-time", value = quote_value(text)))
}

fn hour_and_minute(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    Time::new(within(0..=23)(hour).ok()?, within(0..=59)(minute).ok()?, 0, 0).ok()
}

/// Parses a period of the day.
pub(super) fn time_window(text: &str) -> Result<TimeWindow, Message> {
    text.split_once('-')
        .and_then(|(from, to)| Some(TimeWindow { from: hour_and_minute(from)?, to: hour_and_minute(to)? }))
        .filter(|window| window.from != window.to)
        .ok_or_else(|| msg!("value-window", value = quote_value(text)))
}

/// Parses a repository in GitHub's form `owner/name`.
pub(super) fn repository(text: &str) -> Result<String, Message> {
    let text = text.trim();
    let in_part = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let good = |part: &str| consists_of(part, in_part) && !part.starts_with('.');
    match text.split_once('/') {
        Some((owner, name)) if good(owner) && good(name) => Ok(text.to_owned()),
        _ => Err(msg!("value-repository", value = quote_value(text))),
    }
}

/// Parses an absolute path, which does not depend on the working directory.
pub(super) fn absolute_path(text: &str) -> Result<PathBuf, Message> {
    let path = PathBuf::from(text);
    if path.is_absolute() { Ok(path) } else { Err(msg!("value-path", value = quote_value(text))) }
}
