//! `metrics`: what the server counts and measures of itself.

use rand_core::CryptoRng;

use super::{Call, Step};
use crate::question::{Answer, MetricsFormat, Question};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::SecretBytes;
use crate::view::{Interrupt, View};

/// Answers without the envelope of the API, as Vault does: what scrapes metrics knows nothing of it.
pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let format = MetricsFormat::parse(call.request.parameter("format"))?;
    match view.ask(Question::Metrics(format))? {
        Answer::Text(text) => {
            let body = SecretBytes::new(text.as_bytes().to_vec());
            Ok(Step::answer(Reply::Raw { media_type: format.media_type(), body }))
        }
        _ => Err(Refusal::internal("the server cannot tell its metrics").into()),
    }
}
