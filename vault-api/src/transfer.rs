//! Bodies that are too large for memory: snapshots go from and to a file piece by piece.

use std::io::Write;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Method};

use crate::client::Client;
use crate::error::ApiError;
use crate::reply::Reply;

impl Client {
    /// Writes what is at `path` to `sink` as it comes, and tells how many bytes came.
    ///
    /// # Errors
    /// Answers [`ApiError`] when the server refuses, breaks off, or `sink` cannot take it.
    pub async fn download(&self, path: &str, sink: &mut impl Write) -> Result<u64, ApiError> {
        let mut response = self.send(self.request(Method::GET, path)?).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response, path).await);
        }
        let mut length = 0;
        while let Some(piece) = response.chunk().await.map_err(|error| self.failure(&error))? {
            sink.write_all(&piece).map_err(|error| ApiError::Setup { reason: format!("the file: {error}") })?;
            length += piece.len() as u64;
        }
        Ok(length)
    }

    /// Sends a file to `path` as its body.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn upload(&self, path: &str, file: tokio::fs::File) -> Result<Reply, ApiError> {
        let request = self.request(Method::POST, path)?.header(CONTENT_TYPE, "application/gzip").body(Body::from(file));
        let response = self.send(request).await?;
        let status = response.status();
        let body = self.read_body(response, path).await?;
        Reply::new(status.as_u16(), path.to_owned(), body).into_result()
    }

    async fn refusal(&self, response: reqwest::Response, path: &str) -> ApiError {
        let status = response.status().as_u16();
        match self.read_body(response, path).await {
            Ok(body) => match Reply::new(status, path.to_owned(), body).into_result() {
                Err(error) => error,
                Ok(_) => ApiError::Unintelligible { path: path.to_owned(), reason: format!("status {status}") },
            },
            Err(error) => error,
        }
    }
}
