//! Vendors.

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::{IntoParams, ToSchema};

use super::export::Export;
use super::finding::{self, FoundKeys};
use super::{ListFilter, Moment, Period, moment, passing};
use crate::domain::vendor::{Vendor, WalletStatus, country_alpha2};
use crate::platform::variants::named;
use crate::store::{Index, Query, StoreError, StoreReader};
use crate::text::message::msg;
use crate::web::problem::Problem;

/// Filters of the vendors.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct VendorFilter {
    /// Need for attention, as the last run found it.
    status: Option<VendorStatus>,
    /// Status of the wallet.
    wallet_status: Option<WalletStatus>,
    /// Country, ISO 3166 (`FR` or `FRA`).
    #[param(pattern = "^[A-Za-z]{2,3}$")]
    country: Option<String>,
    /// Earliest time of the last change: a day or an instant, inclusive.
    #[param(schema_with = moment)]
    from: Option<Moment>,
    /// Latest time of the last change: a day, inclusive, or an instant, exclusive.
    #[param(schema_with = moment)]
    to: Option<Moment>,
}

/// A vendor's need for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(in crate::web) enum VendorStatus {
    /// No problem.
    Success,
    /// A problem, stated in `message`.
    Warning,
}

named!(pub(in crate::web) VendorStatus);

impl VendorStatus {
    fn of(vendor: &Vendor) -> Self {
        if vendor.reasons().next().is_none() { Self::Success } else { Self::Warning }
    }
}

/// One vendor.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct VendorItem {
    /// Store ID in the Mirakl back office.
    pub(in crate::web) mirakl_id: u64,
    /// The shop's name.
    pub(in crate::web) name: String,
    /// Login in the HiPay back office; empty if there is no wallet.
    pub(in crate::web) login: String,
    /// Need for attention.
    pub(in crate::web) status: VendorStatus,
    /// Status of the wallet.
    pub(in crate::web) wallet_status: WalletStatus,
    /// ID of the wallet.
    pub(in crate::web) hipay_id: Option<u64>,
    /// Paid through HiPay.
    pub(in crate::web) enabled: bool,
    /// Blocked for payments.
    pub(in crate::web) payment_blocked: bool,
    /// Not shown by Mirakl any more.
    pub(in crate::web) gone: bool,
    /// Country (ISO 3166 alpha-2).
    pub(in crate::web) country: Option<String>,
    /// Time of the last change (UTC).
    pub(in crate::web) date: Timestamp,
    /// Number of documents sent to HiPay.
    pub(in crate::web) documents: u32,
    /// Problems, in words; empty if there are none.
    pub(in crate::web) message: String,
}

/// One vendor with what is known of its wallet.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct VendorDetail {
    #[serde(flatten)]
    pub(in crate::web) item: VendorItem,
    /// E-mail of the wallet.
    pub(in crate::web) email: String,
    /// VAT number.
    pub(in crate::web) vat_number: Option<String>,
    /// Identified by HiPay.
    pub(in crate::web) identified: bool,
    /// HiPay's status of the bank details: 1 none, 2 in progress, 3 validated; 0 not read yet.
    pub(in crate::web) bank_status: u8,
    /// Time when it was first seen (UTC).
    pub(in crate::web) created_at: Timestamp,
}

impl VendorFilter {
    fn country(&self) -> Result<Option<String>, Problem> {
        let Some(asked) = self.country.as_deref() else { return Ok(None) };
        if !(2..=3).contains(&asked.len()) || !asked.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(Problem::new(StatusCode::BAD_REQUEST, msg!("problem-country")));
        }
        // An unknown country matches no vendor.
        Ok(Some(country_alpha2(asked).unwrap_or_else(|| asked.to_owned())))
    }
}

impl ListFilter for VendorFilter {
    type Record = Vendor;
    type Item = VendorItem;

    const SEARCH: Option<Index<Self::Record, (), String>> = Some(Vendor::SEARCH);

    fn find(view: &StoreReader<'_>, text: &str, most: usize) -> Result<FoundKeys<u64>, StoreError> {
        finding::vendors(view, text, most)
    }

    fn listing(&self, zone: &TimeZone) -> Result<Query<Self::Record>, Problem> {
        let groups = passing(self.status, VendorStatus::ALL).flat_map(|status| {
            let wallets = passing(self.wallet_status, WalletStatus::ALL);
            wallets.map(move |wallet| (status.name(), wallet.name()))
        });
        let listing = match self.country()? {
            Some(country) => {
                Query::any_of(Vendor::BY_COUNTRY, groups.map(|(status, wallet)| (country.as_str(), status, wallet)))
            }
            None => Query::any_of(Vendor::BY_STATUS, groups),
        };
        Ok(Period::new(self.from.as_ref(), self.to.as_ref(), zone)?.limit(listing).in_any_order())
    }

    fn passes(&self, vendor: &Vendor, zone: &TimeZone) -> Result<bool, Problem> {
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        Ok(self.status.is_none_or(|wanted| wanted == VendorStatus::of(vendor))
            && self.wallet_status.is_none_or(|wanted| wanted == vendor.wallet_status())
            && self.country()?.is_none_or(|country| vendor.country.as_deref() == Some(&country))
            && period.contains(vendor.updated_at))
    }

    fn date(vendor: &Vendor) -> Timestamp {
        vendor.updated_at
    }

    fn item(vendor: Vendor) -> VendorItem {
        VendorItem {
            status: VendorStatus::of(&vendor),
            message: vendor.reasons().collect::<Vec<_>>().join("; "),
            wallet_status: vendor.wallet_status(),
            mirakl_id: vendor.mirakl_id,
            name: vendor.name,
            login: vendor.login,
            hipay_id: vendor.hipay_id,
            enabled: vendor.enabled,
            payment_blocked: vendor.payment_blocked,
            gone: vendor.gone,
            country: vendor.country,
            date: vendor.updated_at,
            documents: vendor.documents_sent,
        }
    }
}

impl Export for VendorFilter {
    const NAME: &'static str = "vendors";
    const COLUMNS: &'static str = "\
        mirakl_id name login status wallet_status hipay_id enabled payment_blocked country date documents \
        message";
}

impl From<Vendor> for VendorDetail {
    fn from(vendor: Vendor) -> Self {
        Self {
            email: vendor.email.clone(),
            vat_number: vendor.vat_number.clone(),
            identified: vendor.identified,
            bank_status: vendor.bank_status,
            created_at: vendor.created_at,
            item: VendorFilter::item(vendor),
        }
    }
}
