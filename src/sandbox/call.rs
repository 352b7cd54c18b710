//! One request as a remote sees it, and the one list of calls that the remotes have.

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{DefaultBodyLimit, Form, FromRequest, Multipart, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The server that a request is addressed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remote {
    /// The marketplace platform.
    Mirakl,
    /// The payment institution.
    Hipay,
    /// GitHub's API, which lists the releases.
    GitHub,
    /// The host to which GitHub redirects downloads of release files; it must not receive credentials.
    GitHubFiles,
}

/// Every call that the sandbox answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Mirakl: the token endpoint for client credentials.
    Token,
    /// Mirakl V01.
    Version,
    /// Mirakl S20.
    Shops,
    /// Mirakl S07.
    UpdateShops,
    /// Mirakl S30.
    ShopDocuments,
    /// Mirakl S31.
    DownloadDocument,
    /// Mirakl DO01.
    DocumentTypes,
    /// Mirakl AF01.
    AdditionalFields,
    /// Mirakl IV01.
    Invoices,
    /// Mirakl SBC11.
    BillingCycles,
    /// HiPay: check whether an e-mail is available.
    IsAvailable,
    /// HiPay: create an account.
    CreateAccount,
    /// HiPay: read an account.
    Account,
    /// HiPay: change an account.
    PatchAccount,
    /// HiPay: balances.
    Balance,
    /// HiPay: read bank details.
    BankInfo,
    /// HiPay: register bank details.
    RegisterBank,
    /// HiPay: list documents.
    Documents,
    /// HiPay: send a document.
    SendDocument,
    /// HiPay: transfer.
    Transfer,
    /// HiPay: withdrawal.
    Withdrawal,
    /// HiPay: one transaction.
    Transaction,
    /// HiPay: list of transactions.
    Transactions,
    /// HiPay: the marketplace's accounts.
    MerchantGroup,
    /// HiPay: beneficial owners.
    Owners,
    /// GitHub: the releases of a repository.
    Releases,
    /// GitHub: a file of a release, or its address.
    ReleaseAsset,
    /// GitHub's files: the content of a file.
    ReleaseFile,
}

impl Endpoint {
    /// Finds the endpoint in the route table of all remotes. Returns it with the last part of a path
    /// that identifies one object.
    pub(super) fn of<'path>(remote: Remote, method: &str, path: &'path str) -> Option<(Self, &'path str)> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let endpoint = match remote {
            Remote::Mirakl => match (method, parts.as_slice()) {
                ("POST", ["oauth", "token"]) => Self::Token,
                ("GET", ["api", "version"]) => Self::Version,
                ("GET", ["api", "shops"]) => Self::Shops,
                ("PUT", ["api", "shops"]) => Self::UpdateShops,
                ("GET", ["api", "shops", "documents"]) => Self::ShopDocuments,
                ("GET", ["api", "shops", "documents", "download"]) => Self::DownloadDocument,
                ("GET", ["api", "documents"]) => Self::DocumentTypes,
                ("GET", ["api", "additional_fields"]) => Self::AdditionalFields,
                ("GET", ["api", "invoices"]) => Self::Invoices,
                ("GET", ["api", "seller-billing-cycles"]) => Self::BillingCycles,
                _ => return None,
            },
            Remote::Hipay => match (method, parts.as_slice()) {
                ("POST", ["api", "user-account", "is-available.json"]) => Self::IsAvailable,
                ("POST", ["api", "user-account.json"]) => Self::CreateAccount,
                ("GET", ["api", "user-account.json"]) => Self::Account,
                ("PATCH", ["api", "user-account.json"]) => Self::PatchAccount,
                ("GET", ["api", "user-account", "balance.json"]) => Self::Balance,
                ("POST", ["api", "user-account", "bank-info.json"]) => Self::RegisterBank,
                ("GET", ["api", "identification.json"]) => Self::Documents,
                ("POST", ["api", "identification.json"]) => Self::SendDocument,
                ("POST", ["api", "transfer.json"]) => Self::Transfer,
                ("POST", ["api", "withdrawal.json"]) => Self::Withdrawal,
                ("GET", ["api", "transaction.json"]) => Self::Transactions,
                ("GET", ["api", "ubo", "ubo-statement.json"]) => Self::Owners,
                ("GET", ["api", "user-account", "bank-info", last]) => {
                    return last.strip_suffix(".json").map(|locale| (Self::BankInfo, locale));
                }
                ("GET", ["api", "transaction", last]) => {
                    return last.strip_suffix(".json").map(|id| (Self::Transaction, id));
                }
                ("GET", ["api", "merchant-group", last]) => {
                    return last.strip_suffix(".json").map(|code| (Self::MerchantGroup, code));
                }
                _ => return None,
            },
            Remote::GitHub => {
                // GitHub Enterprise serves the same calls under the prefix `api/v3`.
                let parts = parts.strip_prefix(&["api", "v3"]).unwrap_or(&parts);
                match (method, parts) {
                    ("GET", ["repos", _, _, "releases"]) => Self::Releases,
                    ("GET", ["repos", _, _, "releases", "assets", id]) => return Some((Self::ReleaseAsset, id)),
                    _ => return None,
                }
            }
            Remote::GitHubFiles => match (method, parts.as_slice()) {
                ("GET", ["files", id]) => return Some((Self::ReleaseFile, id)),
                _ => return None,
            },
        };
        Some((endpoint, ""))
    }
}

/// One field of a form; a file if it has a file name.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) bytes: Bytes,
}

/// The body, parsed by its content type.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Urlencoded(Vec<Part>),
    Multipart(Vec<Part>),
    /// Anything else, with its content type.
    Other(String, Bytes),
    /// A body that does not match its content type, with the reason.
    Unreadable(String),
}

/// A request, read completely.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) remote: Remote,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) method: String,
    pub(super) path: String,
    /// The object that the path's last part identifies: a transaction, a locale, a group.
    pub(super) named: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl Call {
    pub(super) async fn read(remote: Remote, parts: Parts, body: Bytes) -> Self {
        let method = parts.method.as_str().to_owned();
        let path = parts.uri.path().to_owned();
        let query = Query::try_from_uri(&parts.uri).map(|Query(pairs)| pairs).unwrap_or_default();
        let headers = parts.headers.clone();
        let (endpoint, named) = match Endpoint::of(remote, &method, &path) {
            Some((endpoint, named)) => (Some(endpoint), named.to_owned()),
            None => (None, String::new()),
        };
        let body = read_body(parts, body).await;
        Self { remote, endpoint, method, path, named, query, headers, body }
    }

    /// Returns the value of a query parameter.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the login and password of HTTP Basic.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let encoded = self.header(header::AUTHORIZATION.as_str())?.strip_prefix("Basic ")?;
        let decoded = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
        let (login, password) = decoded.split_once(':')?;
        Some((login.to_owned(), password.to_owned()))
    }

    /// Returns a text field of the form.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let part = self.parts().iter().find(|part| part.name == name && part.file_name.is_none())?;
        std::str::from_utf8(&part.bytes).ok()
    }

    /// Returns every field of the form.
    pub(super) fn parts(&self) -> &[Part] {
        match &self.body {
            Body::Urlencoded(parts) | Body::Multipart(parts) => parts,
            Body::Other(..) | Body::Unreadable(_) => &[],
        }
    }

    /// Returns the sub-account given in the headers, as sent.
    pub(super) fn account(&self) -> Option<String> {
        let named = self.header("php-auth-subaccount-id").or_else(|| self.header("php-auth-subaccount-login"));
        named.map(str::to_owned)
    }

    /// Returns the reference of the payment that the request is about.
    pub(super) fn reference(&self) -> Option<String> {
        let named = (self.endpoint == Some(Endpoint::Transaction)).then_some(self.named.as_str());
        self.field("merchant_unique_id").or(named).map(str::to_owned)
    }

    /// Returns a label that distinguishes this request from others, for seeded choices.
    pub(super) fn label(&self) -> String {
        let reference = self.field("merchant_unique_id").unwrap_or_default();
        format!("{} {} {} {reference}", self.method, self.path, self.account().unwrap_or_default())
    }
}

async fn read_body(parts: Parts, body: Bytes) -> Body {
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let urlencoded = content_type.starts_with("application/x-www-form-urlencoded");
    if !urlencoded && !content_type.starts_with("multipart/form-data") {
        return Body::Other(content_type, body);
    }
    let mut request = Request::from_parts(parts, HttpBody::from(body));
    // The size was limited when the body was read.
    DefaultBodyLimit::disable().apply(&mut request);
    let read = if urlencoded {
        let form: Result<Form<Vec<(String, String)>>, _> = Form::from_request(request, &()).await;
        form.map(|Form(pairs)| Body::Urlencoded(pairs.into_iter().map(text_part).collect()))
            .map_err(|refused| refused.to_string())
    } else {
        read_multipart(request).await.map(Body::Multipart)
    };
    read.unwrap_or_else(Body::Unreadable)
}

fn text_part((name, value): (String, String)) -> Part {
    Part { name, file_name: None, bytes: Bytes::from(value) }
}

async fn read_multipart(request: Request<HttpBody>) -> Result<Vec<Part>, String> {
    let mut multipart = Multipart::from_request(request, &()).await.map_err(|refused| refused.to_string())?;
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await.map_err(|refused| refused.body_text())? {
        let name = field.name().unwrap_or_default().to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let bytes = field.bytes().await.map_err(|refused| refused.body_text())?;
        parts.push(Part { name, file_name, bytes });
    }
    Ok(parts)
}

/// A remote's answer to one request.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(status: u16, json: super::json::Json) -> Self {
        Self {
            status,
            content_type: "application/json".to_owned(),
            headers: Vec::new(),
            body: json.into_text().into_bytes(),
        }
    }
}
