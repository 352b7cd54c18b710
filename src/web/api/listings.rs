//! Endpoints for the lists and their rows.

use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::lists::{
    self, List, ListFilter, ListQuery, LogItem, LogListFilter, NotificationFilter, NotificationItem, OperationDetail,
    OperationFilter, OperationItem, Ordering, PageParams, Paging, PaymentDetail, PaymentFilter, PaymentItem,
    TransactionFilter, TransactionItem, VendorDetail, VendorFilter, VendorItem,
};
use crate::domain::operation::Operation;
use crate::domain::payment::CustomerPayment;
use crate::domain::vendor::Vendor;
use crate::store::View;
use crate::text::message::msg;
use crate::web::Web;
use crate::web::path::{Id, Name};
use crate::web::problem::Problem;

type ListAnswer<T> = Result<Json<List<T>>, Problem>;

/// Lists the vendors, latest change first.
#[utoipa::path(get, path = "/vendors", params(Paging, VendorFilter), responses(
    (status = 200, body = List<VendorItem>),
))]
pub(super) async fn vendors(web: State<Web>, query: ListQuery<VendorFilter>) -> ListAnswer<VendorItem> {
    lists::page(&web, query).await.map(Json)
}

/// Returns a vendor.
#[utoipa::path(get, path = "/vendors/{mirakl_id}", params(("mirakl_id" = u64, Path, description = "Store ID in Mirakl")), responses(
    (status = 200, body = VendorDetail),
))]
pub(super) async fn vendor(State(web): State<Web>, Id(mirakl_id): Id) -> Result<Json<VendorDetail>, Problem> {
    Ok(Json(web.record::<Vendor>(mirakl_id, msg!("problem-no-vendor")).await?.into()))
}

/// Lists the operations (transfers and withdrawals), latest change first.
#[utoipa::path(get, path = "/operations", params(Paging, OperationFilter), responses(
    (status = 200, body = List<OperationItem>),
))]
pub(super) async fn operations(web: State<Web>, query: ListQuery<OperationFilter>) -> ListAnswer<OperationItem> {
    lists::page(&web, query).await.map(Json)
}

/// Exports all operations that pass the filters as CSV.
#[utoipa::path(get, path = "/operations.csv", params(Ordering, OperationFilter), responses(
    (status = 200, body = String, content_type = "text/csv"),
))]
pub(super) async fn operations_csv(
    State(web): State<Web>,
    ListQuery(paging, filter, ..): ListQuery<OperationFilter, Ordering>,
) -> Result<Response, Problem> {
    lists::csv(&web, &paging, &filter).await
}

/// Returns an operation with its whole history.
#[utoipa::path(get, path = "/operations/{id}", params(("id" = u64, Path, description = "Our own number")), responses(
    (status = 200, body = OperationDetail),
))]
pub(super) async fn operation(State(web): State<Web>, Id(id): Id) -> Result<Json<OperationDetail>, Problem> {
    let found = web.find(msg!("problem-no-operation"), move |reader| {
        reader.get::<Operation>(&id)?.map(|operation| OperationDetail::of(reader, operation)).transpose()
    });
    Ok(Json(found.await?))
}

/// Lists HiPay's ledger as it was last read, latest transaction first.
#[utoipa::path(get, path = "/transactions", params(Paging, TransactionFilter), responses(
    (status = 200, body = List<TransactionItem>),
))]
pub(super) async fn transactions(web: State<Web>, query: ListQuery<TransactionFilter>) -> ListAnswer<TransactionItem> {
    lists::page(&web, query).await.map(Json)
}

/// Lists customers' payments, latest change first.
#[utoipa::path(get, path = "/payments", params(Paging, PaymentFilter), responses(
    (status = 200, body = List<PaymentItem>),
))]
pub(super) async fn payments(web: State<Web>, query: ListQuery<PaymentFilter>) -> ListAnswer<PaymentItem> {
    lists::page(&web, query).await.map(Json)
}

/// Returns a payment with its history.
#[utoipa::path(get, path = "/payments/{transaction_reference}", params(("transaction_reference" = String, Path, description = "HiPay's number of the payment")), responses(
    (status = 200, body = PaymentDetail),
))]
pub(super) async fn payment(
    State(web): State<Web>,
    Name(transaction_reference): Name,
) -> Result<Json<PaymentDetail>, Problem> {
    Ok(Json(web.record::<CustomerPayment>(transaction_reference, msg!("problem-no-payment")).await?.into()))
}

/// Lists HiPay's notifications, processed or waiting, latest first.
#[utoipa::path(get, path = "/notifications", params(Paging, NotificationFilter), responses(
    (status = 200, body = List<NotificationItem>),
))]
pub(super) async fn notifications(
    web: State<Web>,
    query: ListQuery<NotificationFilter>,
) -> ListAnswer<NotificationItem> {
    lists::page(&web, query).await.map(Json)
}

/// Lists the lines of the log, latest first.
#[utoipa::path(get, path = "/logs", params(PageParams, LogListFilter), responses((status = 200, body = List<LogItem>)))]
pub(super) async fn logs(
    web: State<Web>,
    ListQuery(paging, filter, ..): ListQuery<LogListFilter, PageParams>,
) -> ListAnswer<LogItem> {
    Ok(Json(lists::log_lines(&web, paging, filter, None).await?.map(LogListFilter::item)))
}

/// Exports all log lines that pass the filters as CSV.
#[utoipa::path(get, path = "/logs.csv", params(Ordering, LogListFilter), responses(
    (status = 200, body = String, content_type = "text/csv"),
))]
pub(super) async fn logs_csv(
    State(web): State<Web>,
    ListQuery(paging, filter, ..): ListQuery<LogListFilter, Ordering>,
) -> Result<Response, Problem> {
    lists::log_csv(&web, &paging, &filter, None).await
}
