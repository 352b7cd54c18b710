//! The bodies of a request and of its answer, as far as they say whether a request is being answered.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::{BoxError, http};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::table::Connection;

/// The body of a request: once it is there, the connection gives way to no other.
pub(super) struct Arriving {
    body: Incoming,
    connection: Arc<Connection>,
}

impl Arriving {
    /// The request with its body. Nothing where it has no body to wait for and the connection has given way.
    pub(super) fn of(request: http::Request<Incoming>, connection: &Arc<Connection>) -> Option<http::Request<Body>> {
        if request.body().is_end_stream() && !connection.begins() {
            return None;
        }
        let connection = Arc::clone(connection);
        Some(request.map(|body| Body::new(Self { body, connection })))
    }
}

impl hyper::body::Body for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let is_whole = match &polled {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => self.body.is_end_stream(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if is_whole && !self.connection.begins() {
            return Poll::Ready(Some(Err(Box::new(io::Error::from(io::ErrorKind::ConnectionAborted)))));
        }
        polled.map_err(BoxError::from)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer: the request is being answered until it is written, or given up.
pub(super) struct Answering {
    body: Body,
    connection: Arc<Connection>,
}

impl Answering {
    pub(super) fn new(body: Body, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.connection.ends();
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
