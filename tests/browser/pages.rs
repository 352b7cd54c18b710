//! Pages written by tests and served with the product's strict policy, for tests of the harness.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::browser::Window;

/// A content security policy as strict as the product's.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A site of a few pages, all served with [`POLICY`]. `/asked` answers with the request that it received.
pub(crate) struct Pages {
    /// `http://host:port`.
    pub(crate) origin: String,
    task: tokio::task::JoinHandle<()>,
}

impl Pages {
    /// Serves these pages, each with its path.
    pub(crate) async fn with(pages: &[(&'static str, String)]) -> Self {
        Self::under(POLICY, pages).await
    }

    /// Serves these pages with another content security policy.
    pub(crate) async fn under(policy: &'static str, pages: &[(&'static str, String)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let pages: BTreeMap<&str, String> = pages.iter().cloned().collect();
        let router = Router::new().fallback(answer).with_state((policy, Arc::new(pages)));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { origin, task }
    }

    /// Makes a window on them.
    pub(crate) fn window(&self) -> Window {
        Window::on(&self.origin)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State((policy, pages)): State<(&'static str, Arc<BTreeMap<&'static str, String>>)>,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let path = uri.path();
    if path == "/asked" {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let asked = [query.unwrap_or_default(), header("cookie"), header("accept-language")].join("\n");
        return ([("content-disposition", "attachment; filename=\"asked.txt\"")], asked).into_response();
    }
    if path == "/favicon.ico" {
        return StatusCode::NO_CONTENT.into_response();
    }
    let Some(body) = pages.get(path) else { return (StatusCode::NOT_FOUND, "no such page").into_response() };
    let kind = match path.rsplit_once('.') {
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => "text/html; charset=utf-8",
    };
    let headers =
        [("content-type", kind), ("content-security-policy", policy), ("set-cookie", "shop=7; Path=/; HttpOnly")];
    (headers, body.clone()).into_response()
}

/// Returns a page without faults that contains this.
pub(crate) fn page(head: &str, main: &str) -> String {
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>A page</title>\
         <meta name=viewport content='width=device-width'>{head}</head>\
         <body><main><h1>A page</h1>{main}</main></body></html>"
    )
}

/// Returns the message of a step that must fail.
pub(crate) async fn failure<T: Send + 'static>(step: impl Future<Output = T> + Send + 'static) -> String {
    let Err(ended) = tokio::spawn(step).await else { panic!("it did not fail") };
    let said = ended.into_panic();
    said.downcast_ref::<String>().cloned().or_else(|| said.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap()
}
