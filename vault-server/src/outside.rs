//! The world outside, as pure code may ask it: password hashes, which take long on purpose, and other servers.

mod http;

use std::sync::Arc;

use tokio::sync::Semaphore;
use vault_core::question::{Answer, PasswordHash, Question};

/// Most password hashes at once: each takes a core and the memory of its cost, and strangers can ask for them.
const HASHES_MAX: usize = 2;

/// Answers questions.
pub(crate) struct Outside {
    hashes: Arc<Semaphore>,
    http: http::Servers,
}

impl Default for Outside {
    fn default() -> Self {
        Self { hashes: Arc::new(Semaphore::new(HASHES_MAX)), http: http::Servers::default() }
    }
}

impl Outside {
    /// Answers a question; what goes wrong is an answer too.
    pub(crate) async fn answer(&self, question: Question) -> Answer {
        match question {
            Question::PasswordHash(question) => self.hash(question).await,
            Question::Http(question) => self.http.answer(question).await,
        }
    }

    async fn hash(&self, question: PasswordHash) -> Answer {
        let Ok(place) = Arc::clone(&self.hashes).acquire_owned().await else {
            return Answer::Failed("the server is stopping".to_owned());
        };
        let hashing = tokio::task::spawn_blocking(move || {
            let hash = question.compute();
            drop(place);
            hash
        });
        match hashing.await {
            Ok(Ok(hash)) => Answer::Hash(hash),
            Ok(Err(reason)) => Answer::Failed(reason),
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}
