//! One item in the body itself, or many in `batch_input`; each item has an outcome of its own.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

use super::ask::Whole;
use super::kind::Kind;
use crate::engines::{Call, Change, Step};
use crate::refusal::{Class, Refusal};
use crate::reply::{Content, Reply};
use crate::secret::SecretText;

/// What is asked for.
pub(super) enum Asked<T> {
    One(T),
    Many {
        items: Vec<T>,
        /// The status of an answer of which only a part failed.
        partial_status: Option<u16>,
    },
}

/// Something with the caller's own name for it, which the answer gives back.
pub(super) trait Item {
    fn reference(&self) -> Option<&String>;
}

/// What becomes of an item.
#[derive(Serialize, Default)]
pub(super) struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ciphertext: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "secret")]
    pub(super) plaintext: Option<SecretText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hmac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) publickey: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
}

fn secret<S: Serializer>(text: &Option<SecretText>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text.as_ref().map_or("", SecretText::expose))
}

/// Whether failed items change the status of the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failures {
    /// They make it that of a malformed request, or what the caller names: Vault's encrypt, decrypt and rewrap.
    Count,
    /// They stand in the answer only: Vault's sign, verify and hmac.
    AreListed,
}

impl<T: DeserializeOwned + Item> Asked<T> {
    /// Reads the body.
    ///
    /// # Errors
    /// Refuses an empty batch, and a status that is none.
    pub(super) fn parse(call: &Call<'_>) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Batch<T> {
            batch_input: Option<Vec<T>>,
            partial_failure_response_code: Option<Whole>,
        }
        let batch: Batch<T> = call.request.parse()?;
        let partial_status = match batch.partial_failure_response_code {
            None => None,
            Some(Whole(number @ 200..=599)) => u16::try_from(number).ok(),
            Some(_) => return Err(Refusal::invalid("partial_failure_response_code is not between 200 and 599")),
        };
        match batch.batch_input {
            None => Ok(Self::One(call.request.parse()?)),
            Some(items) if items.is_empty() => Err(Refusal::invalid("missing batch input to process")),
            Some(items) => Ok(Self::Many { items, partial_status }),
        }
    }

    pub(super) fn items(&self) -> &[T] {
        match self {
            Self::One(item) => std::slice::from_ref(item),
            Self::Many { items, .. } => items,
        }
    }

    /// Refuses a batch that would take too long; `kind` says what an item costs.
    pub(super) fn check_size(&self, kind: Kind) -> Result<(), Refusal> {
        let (count, most) = (self.items().len(), kind.batch_items_max());
        if count <= most {
            return Ok(());
        }
        let name = kind.name();
        Err(Refusal::invalid(format!("the batch has {count} items; at most {most} go with a key of type {name}")))
    }

    /// Does `act` for each item and answers.
    ///
    /// # Errors
    /// Gives the refusal of the one item, or of the first one that failed through a fault inside.
    pub(super) fn answer(
        &self,
        call: &Call<'_>,
        failures: Failures,
        changes: Vec<Change>,
        mut act: impl FnMut(&T) -> Result<Output, Refusal>,
    ) -> Result<Step, Refusal> {
        let (items, partial_status) = match self {
            Self::One(item) => return Ok(Step::commit(Reply::data(&act(item)?)?, changes)),
            Self::Many { items, partial_status } => (items, *partial_status),
        };
        let mut results = Vec::with_capacity(items.len());
        let mut failed = 0;
        for item in items {
            let mut output = match act(item) {
                Ok(output) => output,
                Err(refusal) if refusal.class == Class::Internal => return Err(refusal),
                Err(refusal) => {
                    failed += 1;
                    Output { error: Some(refusal.public), ..Output::default() }
                }
            };
            output.reference = item.reference().cloned();
            results.push(output);
        }
        let content = Content::data(&Results { batch_results: results })?;
        let all_failed = failed == items.len();
        // A reply that is to be wrapped is kept whole, and its outcomes are read in it.
        let reply = if failed == 0 || failures == Failures::AreListed || call.request.wrap_ttl.is_some() {
            Reply::Content(content)
        } else {
            Reply::Partial { content, asked_status: partial_status.filter(|_| !all_failed) }
        };
        Ok(Step::commit(reply, if all_failed { Vec::new() } else { changes }))
    }
}

#[derive(Serialize)]
struct Results {
    batch_results: Vec<Output>,
}
