//! Streams snapshots: the only bodies that are neither JSON nor held in memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use vault_core::path::RequestPath;
use vault_core::refusal::Refusal;
use vault_core::reply::{RestorePermit, SnapshotPermit};

use super::{Edge, envelope};
use crate::driver::{Caller, NextPiece, Upload};

/// Tells whether the body of a request is an archive, which must not be read before the request is approved.
pub(super) fn is_upload(method: &Method, path: &RequestPath) -> bool {
    let path = path.as_str().trim_end_matches('/');
    matches!(*method, Method::POST | Method::PUT)
        && matches!(path, "sys/storage/raft/snapshot" | "sys/storage/raft/snapshot-force")
}

/// Answers with a snapshot as it is taken.
pub(super) async fn take(edge: &Edge, permit: SnapshotPermit, caller: Caller) -> Result<Response, Refusal> {
    let pieces = edge.vault.take_snapshot(permit, caller).await?;
    let mut response = Response::new(Body::new(Pieces(pieces)));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    Ok(response)
}

/// Restores the snapshot in a body.
pub(super) async fn restore(
    edge: &Edge,
    permit: RestorePermit,
    body: Body,
    caller: Caller,
) -> Result<Response, Refusal> {
    edge.vault.restore_snapshot(permit, Box::new(BodyUpload(body)), caller).await?;
    Ok(envelope::empty(StatusCode::NO_CONTENT))
}

struct Pieces(mpsc::Receiver<std::io::Result<Bytes>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

struct BodyUpload(Body);

impl Upload for BodyUpload {
    fn next(&mut self) -> NextPiece<'_> {
        Box::pin(async move {
            loop {
                match self.0.frame().await {
                    None => return Ok(None),
                    Some(Err(_)) => return Err(Refusal::invalid("the body ended early")),
                    // Trailers say nothing here.
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(piece) => return Ok(Some(piece)),
                        Err(_) => continue,
                    },
                }
            }
        })
    }
}
