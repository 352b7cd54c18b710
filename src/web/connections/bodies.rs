//! Bodies of a request and of its response, which determine whether a request is being answered.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::table::OpenConnection;
use crate::web::limits::BODY_LIMIT;

/// Outcome of receiving the body of a request.
pub(super) enum Arrived {
    /// The body, or as much of it as is refused in any case.
    Whole(Body),
    /// A body that did not arrive in time.
    Late,
    /// A body that breaks off, or a connection that has given way.
    Gone,
}

/// Waits for the body of a request; from then on its connection gives way to no other. A body whose announced size is
/// too large is not waited for: the handler refuses it.
pub(super) async fn arrived(mut body: Incoming, connection: &OpenConnection, within: Duration) -> Arrived {
    let limit = u64::try_from(BODY_LIMIT).unwrap_or(u64::MAX);
    if body.size_hint().lower() > limit {
        return Arrived::Whole(Body::new(body));
    }
    let arriving = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                bytes.extend_from_slice(&data);
            }
            if bytes.len() > BODY_LIMIT {
                break;
            }
        }
        Ok::<_, hyper::Error>(bytes)
    };
    match tokio::time::timeout(within, arriving).await {
        Ok(Ok(bytes)) if connection.begins() => Arrived::Whole(Body::from(bytes)),
        Ok(_) => Arrived::Gone,
        Err(_) => Arrived::Late,
    }
}

/// The body of a response. The request counts as being answered until this is dropped, and as being written from then
/// on.
pub(super) struct Answering {
    body: Body,
    connection: Arc<OpenConnection>,
}

impl Answering {
    pub(super) fn new(body: Body, connection: Arc<OpenConnection>) -> Self {
        Self { body, connection }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.connection.is_being_written();
    }
}

impl hyper::body::Body for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
