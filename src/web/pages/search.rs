//! The search: hits of every kind for a text, or the page of the one that is meant.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::page::{PageFrame, show};
use crate::web::Web;
use crate::web::problem::Problem;
use crate::web::search::{self, SearchItem, SearchKind};

/// Address of the search.
pub(super) const SEARCH: &str = "/dashboard/search";

/// The hits of one kind.
struct HitGroup {
    kind: SearchKind,
    hits: Vec<SearchItem>,
}

#[derive(Template)]
#[template(path = "search.html", config = "ui/askama.toml")]
struct SearchPage {
    page: PageFrame,
    /// The text, without spaces around it.
    text: String,
    /// Groups with hits, that of the best hit first.
    groups: Vec<HitGroup>,
    /// Problem with the text, in which case there are no hits.
    problem: Option<String>,
}

/// Shows the hits for a text, or leads to the page of the only one that it names exactly.
pub(super) async fn search(State(web): State<Web>, page: PageFrame) -> Result<Response, Problem> {
    let text = page.address.value("q").trim().to_owned();
    let hits = match search::search(&web, &text).await {
        Err(problem) if problem.status().is_client_error() => {
            let problem = Some(problem.in_words(page.texts()));
            return show(StatusCode::BAD_REQUEST, &SearchPage { page, text, groups: Vec::new(), problem });
        }
        found => found?,
    };
    if let Some(address) = search::only_exact(&hits) {
        return Ok(Redirect::to(&address).into_response());
    }
    let mut groups: Vec<HitGroup> = Vec::new();
    for item in hits.iter().map(|hit| SearchItem::new(hit, page.texts())) {
        match groups.iter_mut().find(|group| group.kind == item.kind) {
            Some(group) => group.hits.push(item),
            None => groups.push(HitGroup { kind: item.kind, hits: vec![item] }),
        }
    }
    show(StatusCode::OK, &SearchPage { page, text, groups, problem: None })
}

impl HitGroup {
    /// Returns the part of the dashboard that lists records of the kind.
    fn section(&self) -> &'static str {
        match self.kind {
            SearchKind::Vendor => "vendors",
            SearchKind::Operation => "transfers",
            SearchKind::Voucher => "vouchers",
            SearchKind::Transaction => "transactions",
            SearchKind::Payment => "payments",
        }
    }

    /// Returns the address of the list of the kind, searched for the same text.
    fn list(&self, text: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
        format!("/dashboard/{}?{query}", self.section())
    }
}
