//! Mirakl's operator API: the calls that the batches need, named by their purpose.
//!
//! Each call's documentation states its reference name (S20, IV01, …).

mod pages;
mod types;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use reqwest::{RequestBuilder, header};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::{MiraklConfig, MiraklCredentials};
use crate::domain::voucher::{ListedVoucher, Voucher, VoucherSource};
use crate::platform::secret::Secret;
use crate::remote::{CallError, ClientPolicy, JSON_LIMIT, Rejection, Remote, RemoteAnswer, Silence, Unusable};
use crate::text::message::{Message, msg};

pub use types::*;
pub(crate) use wire::PROCESS_FIELD;

/// A row of a page that cannot be used; the other rows can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", Message::from(self))]
pub struct UnusableRow {
    /// Kind of row: shop, document, voucher.
    pub what: &'static str,
    /// Id of the row, if it could be decoded.
    pub id: Option<String>,
    /// Description of the problem.
    pub reason: Message,
}

impl UnusableRow {
    fn new(what: &'static str, id: Option<String>, reason: Message) -> Self {
        Self { what, id, reason }
    }
}

impl From<&UnusableRow> for Message {
    fn from(UnusableRow { what, id, reason }: &UnusableRow) -> Self {
        let what = Self::new(&format!("row-{what}"), []);
        match id {
            Some(id) => msg!("row", what, id, reason),
            None => msg!("row-without-number", what, reason),
        }
    }
}

/// All rows of a list without duplicates, and those that cannot be used.
#[derive(Debug, Clone)]
pub struct MiraklListing<T> {
    /// Usable rows.
    pub rows: Vec<T>,
    /// Unusable rows, with the reason.
    pub unreadable: Vec<UnusableRow>,
}

/// The change of a shop (S07).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShopUpdate<'a> {
    /// Id of the shop.
    pub shop_id: u64,
    /// KYC status: `APPROVED`, `REFUSED`, …
    pub kyc_status: &'a str,
    /// Reason of a refusal, at most 1000 characters; Mirakl stores it for a refusal only.
    pub kyc_reason: Option<&'a str>,
    /// Block on payments.
    pub payment_blocked: bool,
    /// Suspension of the shop.
    pub suspend: bool,
}

/// A token of the client-credentials flow.
#[derive(Debug, Clone)]
struct Token {
    header: Secret,
    until: Instant,
}

/// The client of one Mirakl. Clones share it.
#[derive(Debug, Clone)]
pub struct Mirakl {
    remote: Remote,
    credentials: MiraklCredentials,
    token: Arc<Mutex<Option<Token>>>,
    /// Flag that Mirakl has refused the `domains` parameter of S20.
    refuses_domains: Arc<AtomicBool>,
}

/// Time before its expiry at which a token is renewed.
const TOKEN_MARGIN: Duration = Duration::from_mins(1);

/// Maximum size of a document, in bytes: HiPay accepts at most 15 MB.
const DOCUMENT_LIMIT: usize = 20 * 1024 * 1024;

/// Domains of shops; without the parameter, S20 returns only those of PRODUCT.
const ALL_DOMAINS: &str = "PRODUCT,SERVICE";

/// HTTP status for a parameter that Mirakl does not accept.
const BAD_REQUEST: u16 = 400;

/// Maximum number of ids in one call.
const MAX_IDS_PER_CALL: usize = 100;

/// Number of lists of shops that are read concurrently.
const MAX_CONCURRENT_LISTS: usize = 4;

/// Number of shops in one call for documents.
const MAX_SHOPS_PER_CALL: usize = 50;

impl Mirakl {
    /// Makes the client from the configuration.
    pub fn new(config: &MiraklConfig, manners: ClientPolicy) -> Result<Self, Unusable> {
        let remote = Remote::new("Mirakl", &config.base_url, manners)?;
        Ok(Self {
            remote,
            credentials: config.credentials.clone(),
            token: Arc::default(),
            refuses_domains: Arc::default(),
        })
    }

    /// Returns Mirakl's own time as of its last answer, to the second.
    pub fn their_time(&self) -> Option<Timestamp> {
        self.remote.their_time()
    }

    /// Returns the current series of unanswered calls; `None` if Mirakl answered the last one.
    pub fn silence(&self) -> Option<Silence> {
        self.remote.silence()
    }

    /// Returns Mirakl's version (V01); shows that Mirakl can be reached and accepts our credentials.
    pub async fn version(&self) -> Result<String, CallError> {
        let answer: wire::VersionAnswer = self.get("/api/version", &[]).await?;
        Ok(answer.version.text_or_empty())
    }

    /// Reads all shops (S20), or those updated since an instant.
    pub async fn shops(&self, since: Option<Timestamp>) -> Result<MiraklListing<Shop>, CallError> {
        // Each run tries again: an update of the instance may add the parameter.
        self.refuses_domains.store(false, Ordering::Relaxed);
        let mut query = vec![("paginate", "true".to_owned())];
        query.extend(since.map(|since| ("updated_since", seconds(since))));
        self.shops_of_all_domains(query).await
    }

    /// Returns true if Mirakl has refused to return the shops of domains other than PRODUCT since the last call
    /// of [`Mirakl::shops`].
    pub fn refuses_domains(&self) -> bool {
        self.refuses_domains.load(Ordering::Relaxed)
    }

    /// Reads shops of products and services (S20): without `domains`, Mirakl omits the shops that sell
    /// services. If the instance refuses the parameter, the list is read without it.
    async fn shops_of_all_domains(&self, query: Vec<(&str, String)>) -> Result<MiraklListing<Shop>, CallError> {
        let page = |answer: wire::ShopsPage| (answer.shops, answer.total_count);
        let sweep = async |query: &[(&str, String)]| {
            self.sweep("/api/shops", query, page, wire::shop, |shop| shop.shop_id).await
        };
        if !self.refuses_domains() {
            let all_domains = [query.clone(), vec![("domains", ALL_DOMAINS.to_owned())]].concat();
            match sweep(&all_domains).await {
                Err(CallError::Rejected(Rejection { http_status: BAD_REQUEST, .. })) => {}
                other => return other,
            }
        }
        let listing = sweep(&query).await?;
        self.refuses_domains.store(true, Ordering::Relaxed);
        Ok(listing)
    }

    /// Reads the shops with these ids (S20).
    pub async fn shops_with(&self, ids: &[u64]) -> Result<MiraklListing<Shop>, CallError> {
        let joined = |ids: &[u64]| ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let asked: Vec<String> = ids.chunks(MAX_IDS_PER_CALL).map(joined).collect();
        let call = |ids| self.shops_of_all_domains(vec![("paginate", "true".to_owned()), ("shop_ids", ids)]);
        let parts: Vec<MiraklListing<Shop>> =
            stream::iter(asked).map(call).buffered(MAX_CONCURRENT_LISTS).try_collect().await?;
        let mut listing = MiraklListing { rows: Vec::new(), unreadable: Vec::new() };
        for part in parts {
            listing.rows.extend(part.rows);
            listing.unreadable.extend(part.unreadable);
        }
        Ok(listing)
    }

    /// Reads the documents of `shop_ids` (S30), fifty shops per call.
    pub async fn documents(&self, shop_ids: &[u64]) -> Result<MiraklListing<ShopDocument>, CallError> {
        let mut listing = MiraklListing { rows: Vec::new(), unreadable: Vec::new() };
        for ids in shop_ids.chunks(MAX_SHOPS_PER_CALL) {
            let ids = ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
            let answer: wire::DocumentsAnswer = self.get("/api/shops/documents", &[("shop_ids", ids)]).await?;
            for row in &answer.shop_documents {
                match wire::document(row) {
                    Ok(document) => listing.rows.push(document),
                    Err(unreadable) => listing.unreadable.push(unreadable),
                }
            }
        }
        Ok(listing)
    }

    /// Downloads the content of one document (S31).
    pub async fn download(&self, document_id: u64) -> Result<Vec<u8>, CallError> {
        let query = [("document_ids", document_id.to_string())];
        let answer = self.fetch(DOCUMENT_LIMIT, "/api/shops/documents/download", &query, judge).await?;
        if answer.content_type == "text/html" || answer.body.is_empty() {
            return Err(CallError::unknown(msg!("mirakl-no-file", answer = answer.describe())));
        }
        Ok(answer.body)
    }

    /// Reads the codes of the document types that shops can have (DO01). At most once a day.
    pub async fn document_types(&self) -> Result<Vec<String>, CallError> {
        let query = [("entities", "SHOP".to_owned())];
        let answer: wire::DocumentTypesAnswer = self.get("/api/documents", &query).await?;
        Ok(answer.codes())
    }

    /// Reads the custom fields of shops (AF01). At most once a day.
    pub async fn additional_fields(&self) -> Result<Vec<AdditionalField>, CallError> {
        let query = [("entities", "SHOP".to_owned())];
        let answer: wire::AdditionalFieldsAnswer = self.get("/api/additional_fields", &query).await?;
        Ok(answer.fields())
    }

    /// Reads the vouchers created from `start` to `end` that have usable amounts (IV01 or SBC11); the others
    /// are unreadable.
    pub async fn vouchers(
        &self,
        source: VoucherSource,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<MiraklListing<Voucher>, CallError> {
        let MiraklListing { rows, mut unreadable } = self.listed_vouchers(source, start, end).await?;
        let mut usable = Vec::with_capacity(rows.len());
        for ListedVoucher { voucher, unusable } in rows {
            match unusable {
                None => usable.push(voucher),
                Some(reason) => unreadable.push(UnusableRow::new("voucher", Some(voucher.number), reason)),
            }
        }
        Ok(MiraklListing { rows: usable, unreadable })
    }

    /// Reads every voucher created from `start` to `end` that can be identified (IV01 or SBC11).
    pub async fn listed_vouchers(
        &self,
        source: VoucherSource,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<MiraklListing<ListedVoucher>, CallError> {
        let mut query = vec![("start_date", seconds(start)), ("end_date", seconds(end))];
        match source {
            VoucherSource::Invoices => {
                query.push(("type", "AUTO_INVOICE".to_owned()));
                let page = |answer: wire::InvoicesPage| (answer.invoices, answer.total_count);
                self.sweep("/api/invoices", &query, page, wire::invoice, pages::identity).await
            }
            VoucherSource::BillingCycles => self.billing_cycles(query).await,
        }
        .map(pages::without_contradictions)
    }

    /// Changes one shop (S07). A refusal inside a successful answer counts as a refusal.
    pub async fn update_shop(&self, update: ShopUpdate<'_>) -> Result<(), CallError> {
        let mut kyc = json!({ "status": update.kyc_status });
        if let (Some(reason), Some(fields)) = (update.kyc_reason, kyc.as_object_mut()) {
            let reason: String = reason.chars().take(1_000).collect();
            fields.insert("reason".to_owned(), reason.into());
        }
        let body = json!({ "shops": [{
            "shop_id": update.shop_id,
            "kyc": kyc,
            "payment_blocked": update.payment_blocked,
            "suspend": update.suspend,
        }] });
        let url = format!("{}/api/shops", self.remote.base());
        let build = |authorization: &str| {
            self.remote.client().put(&url).header(header::AUTHORIZATION, authorization).json(&body)
        };
        // Making the same change twice has the effect of once, so it is retried like a read.
        let answer = self.authorized(JSON_LIMIT, build, judge).await?;
        let returns: wire::ShopReturns = decode(&answer)?;
        let updated = returns.shop_returns.iter().any(|shop| shop.shop_updated.is_some());
        match returns.shop_returns.into_iter().find_map(|shop| shop.shop_error) {
            None if updated => Ok(()),
            None => Err(CallError::unknown(msg!("mirakl-change-unsaid"))),
            Some(error) => {
                let words = wire::sentence(&error.errors);
                Err(CallError::Rejected(Rejection {
                    http_status: answer.status,
                    code: None,
                    detail: None,
                    sentence: msg!("mirakl-change-refused", words = &words),
                    words,
                }))
            }
        }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, CallError> {
        // Decoding is part of the try: a proxy's page or half an answer is worth another one.
        self.fetch(JSON_LIMIT, path, query, |answer| decode(&judge(answer)?)).await
    }

    async fn fetch<T>(
        &self,
        limit: usize,
        path: &str,
        query: &[(&str, String)],
        judge: impl Fn(RemoteAnswer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let url = format!("{}{path}", self.remote.base());
        let build = |authorization: &str| {
            self.remote.client().get(&url).query(query).header(header::AUTHORIZATION, authorization)
        };
        self.authorized(limit, build, judge).await
    }

    /// Sends a request with our credentials; a token that Mirakl no longer accepts is renewed once.
    async fn authorized<T>(
        &self,
        limit: usize,
        build: impl Fn(&str) -> RequestBuilder,
        judge: impl Fn(RemoteAnswer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let authorization = self.authorization(None).await?;
        let result = self.remote.read(limit, || build(&authorization), &judge).await;
        match (&result, &self.credentials) {
            (Err(error), MiraklCredentials::Client { .. }) if error.is_credentials() => {
                let renewed = self.authorization(Some(&authorization)).await?;
                self.remote.read(limit, || build(&renewed), &judge).await
            }
            _ => result,
        }
    }

    /// Returns the `Authorization` header. `refused` is a value that Mirakl has just refused.
    async fn authorization(&self, refused: Option<&str>) -> Result<String, CallError> {
        let (id, secret, auth_url) = match &self.credentials {
            MiraklCredentials::Key(key) => return Ok(key.expose().to_owned()),
            MiraklCredentials::Bearer(token) => return Ok(format!("Bearer {}", token.expose())),
            MiraklCredentials::Client { id, secret, auth_url } => (id, secret, auth_url),
        };
        // The lock is held across the request, so that concurrent calls renew the token only once.
        let mut token = self.token.lock().await;
        if let Some(known) = token.as_ref()
            && Instant::now() < known.until
            && refused != Some(known.header.expose())
        {
            return Ok(known.header.expose().to_owned());
        }
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret.expose())];
        let request = || self.remote.client().post(auth_url).form(&form);
        let answer: wire::TokenAnswer = self.remote.read(JSON_LIMIT, request, |answer| decode(&judge(answer)?)).await?;
        let access = answer.access_token.text().ok_or_else(|| CallError::unknown(msg!("mirakl-no-token")))?;
        let lifetime = Duration::from_secs(answer.expires_in.count().unwrap_or(3_600).min(86_400));
        let until = Instant::now() + lifetime.saturating_sub(TOKEN_MARGIN);
        let header = format!("Bearer {access}");
        *token = Some(Token { header: Secret::new(header.clone()), until });
        Ok(header)
    }
}

/// Formats an instant as in Mirakl's examples, to the second.
fn seconds(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn judge(answer: RemoteAnswer) -> Result<RemoteAnswer, CallError> {
    if answer.is_success() {
        return Ok(answer);
    }
    let said = serde_json::from_slice::<wire::ErrorAnswer>(&answer.body).unwrap_or_default().sentence();
    let words = said.clone();
    let said = if said.is_empty() { answer.describe() } else { Message::quoting(said) };
    let sentence = match answer.status {
        401 => msg!("mirakl-credentials", said),
        status => msg!("mirakl-refused", status, said),
    };
    Err(CallError::Rejected(Rejection { http_status: answer.status, code: None, detail: None, sentence, words }))
}

fn decode<T: serde::de::DeserializeOwned>(answer: &RemoteAnswer) -> Result<T, CallError> {
    serde_json::from_slice(&answer.body).map_err(|error| CallError::unreadable("Mirakl", answer, &error))
}
