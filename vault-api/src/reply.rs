//! An answer of the server, whatever its status.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, describe};
use crate::secret::SecretText;
use crate::types::{Envelope, ErrorBody};

/// An answer: its status and its body, which may hold secrets.
pub struct Reply {
    status: u16,
    path: String,
    body: SecretText,
    receipt: Option<String>,
}

impl Reply {
    /// Joins what came back for `path`.
    pub const fn new(status: u16, path: String, body: SecretText) -> Self {
        Self { status, path, body, receipt: None }
    }

    /// Adds the receipt of a release as it came, in base64.
    #[must_use]
    pub fn with_receipt(self, receipt: Option<String>) -> Self {
        Self { receipt, ..self }
    }

    /// Gives the receipt of a release, in base64: the proof that it is in the audit log.
    pub fn receipt(&self) -> Option<&str> {
        self.receipt.as_deref()
    }

    /// Gives the HTTP status code.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Tells whether there was nothing to say (204).
    pub fn is_empty(&self) -> bool {
        self.body.expose().trim().is_empty()
    }

    /// Shows the body exactly as it came.
    pub fn expose(&self) -> &str {
        self.body.expose()
    }

    /// Reads the whole body as `T`.
    ///
    /// # Errors
    /// Answers [`ApiError::Unintelligible`] when it does not fit.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        self.parse(self.body.expose())
    }

    /// Reads the envelope around the data.
    ///
    /// # Errors
    /// Answers [`ApiError::Unintelligible`] when it is none.
    pub fn envelope(&self) -> Result<Envelope, ApiError> {
        self.body()
    }

    /// Reads the data in the envelope as `T`.
    ///
    /// # Errors
    /// Answers [`ApiError::Unintelligible`] when there are no data or they do not fit.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        match self.envelope()?.data {
            Some(data) => self.parse(data.expose()),
            None => Err(self.unintelligible("it holds no data".to_owned())),
        }
    }

    /// Turns an answer that refuses into its error.
    ///
    /// # Errors
    /// Answers [`ApiError::Refused`] for a status of 400 and above.
    pub fn into_result(self) -> Result<Self, ApiError> {
        if self.status < 400 {
            return Ok(self);
        }
        #[derive(Deserialize)]
        struct Named {
            request_id: Option<String>,
        }
        let errors = self.body::<ErrorBody>().map(|body| body.errors).unwrap_or_default();
        let request_id = self.body::<Named>().ok().and_then(|named| named.request_id);
        Err(ApiError::Refused { status: self.status, errors, request_id })
    }

    fn parse<T: DeserializeOwned>(&self, json: &str) -> Result<T, ApiError> {
        serde_json::from_str(json).map_err(|error| self.unintelligible(describe(&error)))
    }

    fn unintelligible(&self, reason: String) -> ApiError {
        ApiError::Unintelligible { path: self.path.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Keys;

    fn reply(status: u16, body: &str) -> Reply {
        Reply::new(status, "secret/app".to_owned(), SecretText::new(body.to_owned()))
    }

    #[test]
    fn data_are_read_out_of_the_envelope() {
        let answer = reply(
            200,
            r#"{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,
            "data":{"keys":["a","b/"]},"wrap_info":null,"warnings":null,"auth":null}"#,
        );
        assert_eq!(answer.data::<Keys>().unwrap().keys, ["a", "b/"]);
    }

    #[test]
    fn a_refusal_keeps_its_words_and_its_request() {
        let error = reply(403, r#"{"errors":["permission denied"],"request_id":"abc"}"#).into_result().err().unwrap();
        assert!(error.is_denied());
        assert_eq!(error.to_string(), "permission denied (request abc)");
    }

    #[test]
    fn a_refusal_that_is_no_json_is_still_a_refusal() {
        let error = reply(502, "<html>bad gateway</html>").into_result().err().unwrap();
        assert_eq!(error, ApiError::Refused { status: 502, errors: Vec::new(), request_id: None });
    }

    #[test]
    fn data_that_do_not_fit_are_not_quoted() {
        let error = reply(200, r#"{"data":{"keys":"hunter2"}}"#).data::<Keys>().err().unwrap();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
