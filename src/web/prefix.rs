//! Support for a `server.publicUrl` with a path. Everything is served with and without that path in front, since some
//! proxies remove it and others do not. Links carry it, so that browsers come back through the proxy.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::middleware::{Next, map_response};
use axum::response::Response;
use tower::util::MapRequest;

use super::Web;
use crate::config::Settings;

/// Upper bound on the size of a page, in bytes.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;

/// Attributes that hold an address for a browser or for a script of ours.
const LINKS: [&str; 11] = [
    "href",
    "src",
    "action",
    "formaction",
    "hx-get",
    "hx-post",
    "hx-push-url",
    "data-events",
    "data-ready",
    "data-story",
    "data-then",
];

/// Header in which the request for a part of a page names that page, by its address in the browser.
const CURRENT_PAGE: HeaderName = HeaderName::from_static("hx-current-url");

/// Headers that redirect a browser.
const LEADING: [HeaderName; 2] = [header::LOCATION, HeaderName::from_static("hx-redirect")];

/// Serves the routes below the path of `server.publicUrl` too.
pub(super) fn serve_below(routes: Router, settings: Settings) -> Router {
    let leading = settings.clone();
    let stripped = move |mut request: Request| {
        let prefix = settings.get().server.public_path.clone();
        if let Some(uri) = strip(request.uri(), &prefix) {
            request.extensions_mut().insert(OriginalUri(uri.clone()));
            *request.uri_mut() = uri;
        }
        let page = request.headers().get(CURRENT_PAGE).and_then(|page| page.to_str().ok()?.parse::<Uri>().ok());
        let page = page.and_then(|page| strip(&page, &prefix)?.to_string().parse().ok());
        if let Some(page) = page {
            request.headers_mut().insert(CURRENT_PAGE, page);
        }
        request
    };
    let led = move |mut response: Response| {
        prefix_redirects(&mut response, &leading.get().server.public_path);
        async { response }
    };
    Router::new().fallback_service(MapRequest::new(routes, stripped)).layer(map_response(led))
}

/// Puts `prefix` in front of the headers that redirect a browser to this server.
fn prefix_redirects(response: &mut Response, prefix: &str) {
    if prefix.is_empty() {
        return;
    }
    for name in LEADING {
        let leads = response.headers().get(&name).and_then(|value| value.to_str().ok());
        let leads = leads.filter(|to| to.starts_with('/') && !to.starts_with("//"));
        if let Some(value) = leads.and_then(|to| HeaderValue::from_str(&format!("{prefix}{to}")).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// Returns the address without `prefix`; `None` if it does not begin with it.
fn strip(uri: &Uri, prefix: &str) -> Option<Uri> {
    let rest = uri.path().strip_prefix(prefix).filter(|_| !prefix.is_empty())?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let path = if rest.is_empty() { "/" } else { rest };
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    format!("{path}{query}").parse().ok()
}

/// Puts the path in front of the links of pages. Quotes within a text are escaped, so that `="/` occurs in attributes
/// only. A value that somebody typed is not a link.
pub(super) async fn prefix_links(State(web): State<Web>, request: Request, next: Next) -> Response {
    let prefix = web.settings.get().server.public_path.clone();
    let response = next.run(request).await;
    if prefix.is_empty() {
        return response;
    }
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("text/html")) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(page) = to_bytes(body, PAGE_LIMIT).await else { return Response::from_parts(head, Body::empty()) };
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(with_path(&String::from_utf8_lossy(&page), &prefix)))
}

/// Puts `prefix` in front of every link of a page that leads to this server.
fn with_path(page: &str, prefix: &str) -> String {
    let mut parts = page.split("=\"/");
    let mut carried = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let attribute = carried.rsplit(|letter: char| letter.is_whitespace()).next().unwrap_or_default();
        let prefix = if LINKS.contains(&attribute) { prefix } else { "" };
        carried.push_str("=\"");
        carried.push_str(prefix);
        carried.push('/');
        carried.push_str(part);
    }
    carried
}

#[cfg(test)]
mod tests;
