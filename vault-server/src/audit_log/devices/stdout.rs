//! Copies the log to the standard output.

use std::io::Write;

use super::outbox::Batch;
use super::{Doing, Sink, blocking};

/// Writes to the standard output.
pub(super) struct Standard;

impl Sink for Standard {
    fn write<'a>(&'a mut self, batch: &'a Batch) -> Doing<'a> {
        let text = batch.text().into_owned();
        Box::pin(blocking(move || {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }))
    }
}
