//! `server.publicUrl` with a path: everything is served with that path in front and without, since some proxies take it
//! off and others do not. Links carry it, so that browsers come back through the proxy.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use tower::util::MapRequest;

use super::Web;
use crate::config::Settings;

/// No page is larger, in bytes.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;

/// Headers that lead a browser somewhere.
const LEADING: [HeaderName; 2] = [header::LOCATION, HeaderName::from_static("hx-redirect")];

/// The routes, below the path of `server.publicUrl` too.
pub(super) fn served(routes: Router, settings: Settings) -> Router {
    let stripped = move |mut request: Request| {
        if let Some(uri) = without(request.uri(), &settings.get().server.public_path) {
            *request.uri_mut() = uri;
        }
        request
    };
    Router::new().fallback_service(MapRequest::new(routes, stripped))
}

/// The address without `prefix`; `None` where it does not begin with it.
fn without(uri: &Uri, prefix: &str) -> Option<Uri> {
    let rest = uri.path().strip_prefix(prefix).filter(|_| !prefix.is_empty())?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let path = if rest.is_empty() { "/" } else { rest };
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    format!("{path}{query}").parse().ok()
}

/// Has the links of pages carry the path. In a page a quote within a text is written as a reference: `="/` stands in
/// attributes alone.
pub(super) async fn carried(State(web): State<Web>, request: Request, next: Next) -> Response {
    let prefix = web.settings.get().server.public_path.clone();
    let mut response = next.run(request).await;
    if prefix.is_empty() {
        return response;
    }
    for name in LEADING {
        let leads = response.headers().get(&name).and_then(|value| value.to_str().ok());
        let leads = leads.filter(|to| to.starts_with('/') && !to.starts_with("//"));
        if let Some(value) = leads.and_then(|to| HeaderValue::from_str(&format!("{prefix}{to}")).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("text/html")) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(page) = to_bytes(body, PAGE_LIMIT).await else { return Response::from_parts(head, Body::empty()) };
    head.headers.remove(header::CONTENT_LENGTH);
    let page = String::from_utf8_lossy(&page).replace("=\"/", &format!("=\"{prefix}/"));
    Response::from_parts(head, Body::from(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_path_is_taken_off() {
        let of = |path: &str| without(&path.parse().unwrap(), "/pay/out").map(|uri| uri.to_string());
        assert_eq!(of("/pay/out/dashboard?a=/b").as_deref(), Some("/dashboard?a=/b"));
        assert_eq!(of("/pay/out").as_deref(), Some("/"));
        assert_eq!(of("/pay/out/").as_deref(), Some("/"));
        for path in ["/dashboard", "/pay/outside", "/pay", "/", "/x/pay/out/dashboard"] {
            assert_eq!(of(path), None, "{path}");
        }
        assert_eq!(without(&"/dashboard".parse().unwrap(), ""), None);
    }
}
