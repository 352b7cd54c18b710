//! Tests of the witness itself, over real HTTP.

mod faults;
mod hipay;
mod kyc;
mod market;
mod mirakl;
mod money;

use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder};
use rustls::crypto::ring;
use serde_json::Value;

use super::{Account, Sandbox, SandboxOptions};
use crate::domain::money::{Amount, Currency};
use crate::platform::clock::Clock;

const IBAN: &str = "FR1420041010050500013M02606";

fn euro(minor: i64) -> Amount {
    Amount::from_minor(minor, Currency::EUR)
}

fn clock() -> Clock {
    Clock::manual("2026-11-21T10:00:00Z".parse().unwrap())
}

/// Starts a sandbox whose technical account holds 1000.00 and whose account 500 is ready to be paid.
async fn sandbox() -> Sandbox {
    start(SandboxOptions { clock: clock(), ..SandboxOptions::default() }).await
}

async fn start(options: SandboxOptions) -> Sandbox {
    let sandbox = Sandbox::start(options).await.unwrap();
    sandbox.hipay(|hipay| {
        hipay.fund(400_001, euro(100_000)).unwrap();
        hipay.add(Account::new(500, "vendor@sellers.example").ready(IBAN));
    });
    sandbox
}

fn http() -> Client {
    let tls = rustls::ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder().tls_backend_preconfigured(tls).timeout(Duration::from_secs(20)).build().unwrap()
}

/// Builds a request to HiPay with the right password.
fn hipay(sandbox: &Sandbox, method: Method, path: &str) -> RequestBuilder {
    let credentials = sandbox.credentials();
    http()
        .request(method, format!("{}/api{path}", sandbox.hipay_url()))
        .basic_auth(&credentials.ws_login, Some(credentials.ws_password.expose()))
}

/// Builds a request to Mirakl with the raw key.
fn mirakl(sandbox: &Sandbox, method: Method, path: &str) -> RequestBuilder {
    http()
        .request(method, format!("{}{path}", sandbox.mirakl_url()))
        .header("Authorization", sandbox.credentials().operator_key.expose())
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or_else(|wrong| panic!("{wrong}: {body}")))
}

/// Reads a number that may come as a string.
fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

/// Returns the HTTP status and HiPay's code.
async fn code(request: RequestBuilder) -> (u16, i64) {
    let (status, body) = answer(request).await;
    (status, number(&body["code"]))
}

fn transfer_form<'form>(amount: &'form str, reference: &'form str) -> Vec<(&'form str, &'form str)> {
    vec![
        ("recipient_account_id", "500"),
        ("amount", amount),
        ("public_label", "Sales"),
        ("private_label", "2001"),
        ("merchant_unique_id", reference),
    ]
}

fn transfer(sandbox: &Sandbox, amount: &str, reference: &str) -> RequestBuilder {
    hipay(sandbox, Method::POST, "/transfer.json").form(&transfer_form(amount, reference))
}

fn withdrawal(sandbox: &Sandbox, amount: &str, reference: &str) -> RequestBuilder {
    hipay(sandbox, Method::POST, "/withdrawal.json").header("php-auth-subaccount-id", "500").form(&[
        ("amount", amount),
        ("label", "Sales"),
        ("merchant_unique_id", reference),
    ])
}

fn look_up(sandbox: &Sandbox, id: &str) -> RequestBuilder {
    hipay(sandbox, Method::GET, &format!("/transaction/{id}.json"))
}

fn multipart(fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Form {
    let mut form = Form::new();
    for (name, value) in fields {
        form = form.text((*name).to_owned(), (*value).to_owned());
    }
    for (name, file_name, bytes) in files {
        form = form.part((*name).to_owned(), Part::bytes(bytes.to_vec()).file_name((*file_name).to_owned()));
    }
    form
}

fn document(sandbox: &Sandbox, account: u64, kind: &str, file_name: &str) -> RequestBuilder {
    let fields = [("type", kind), ("validity_date", "2027-11-21")];
    hipay(sandbox, Method::POST, "/identification.json")
        .header("php-auth-subaccount-id", account)
        .multipart(multipart(&fields, &[("file", file_name, b"bytes")]))
}

fn bank(sandbox: &Sandbox, account: u64, file_name: &str) -> RequestBuilder {
    let fields = [("bank_country", "FR"), ("bank_name", "Banque du Nord"), ("iban", IBAN), ("swift", "AGRIFRPP")];
    hipay(sandbox, Method::POST, "/user-account/bank-info.json")
        .header("php-auth-subaccount-id", account)
        .multipart(multipart(&fields, &[("file", file_name, b"bytes")]))
}
