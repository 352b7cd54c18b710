//! Styles and scripts, embedded in the binary. Their addresses change with their contents, so that browsers keep them
//! until then.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::platform::hex::hex;
use crate::text::message::msg;
use crate::web::problem::Problem;

#[derive(RustEmbed)]
#[folder = "ui/assets"]
struct Files;

/// Version of each asset that a page names.
static VERSIONS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    Files::iter().filter_map(|path| Some((path.to_string(), version(&Files::get(&path)?.data)))).collect()
});

fn version(data: &[u8]) -> String {
    hex(Sha256::digest(data).into_iter().take(8))
}

/// Returns the address of an asset.
pub(super) fn address(path: &str) -> String {
    let version = VERSIONS.get(path).map_or("", String::as_str);
    format!("/dashboard/assets/{version}/{path}")
}

/// Serves an asset.
pub(super) async fn asset(Path((asked, path)): Path<(String, String)>) -> Result<Response, Problem> {
    let file = Files::get(&path).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-asset")))?;
    let kind = match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    };
    // A page of the previous release may still request the version that it knew; the answer must not be kept.
    let keep = if asked == version(&file.data) { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], file.data.into_owned()).into_response())
}
