//! Calls about requests that wait for others to agree.

use super::Client;
use crate::error::ApiError;
use crate::reply::Reply;
use crate::requests::{Approved, HeldRequest, HeldRequests, Said};

impl Client {
    /// Lists the requests that concern the caller.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn held_requests(&self) -> Result<HeldRequests, ApiError> {
        self.read("sys/requests").await?.data()
    }

    /// Fetches one request with everything that is needed to decide about it.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn held_request(&self, id: &str) -> Result<HeldRequest, ApiError> {
        self.read(&format!("sys/requests/{id}")).await?.data()
    }

    /// Agrees to a request.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn approve_request(&self, id: &str, said: &Said) -> Result<Approved, ApiError> {
        self.write(&format!("sys/requests/{id}/approve"), said).await?.data()
    }

    /// Denies, cancels or remarks on a request, or makes one that was agreed to: `deny`, `cancel`, `comment`, `redeem`.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn say_of_request(&self, id: &str, verb: &str, said: &Said) -> Result<Reply, ApiError> {
        self.write(&format!("sys/requests/{id}/{verb}"), said).await
    }
}
