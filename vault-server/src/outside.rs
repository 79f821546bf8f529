//! The world outside, as pure code may ask it: password hashes, which take long on purpose, and other servers.

pub(crate) mod http;

use std::sync::Arc;

use tokio::sync::Semaphore;
use vault_core::audit::Target;
use vault_core::question::{Answer, PasswordHash, Question};

use crate::audit_log::devices::{DeviceRules, Followers};
use crate::environment::Environment;
use crate::facts::KnownFacts;
use crate::metrics::Metrics;

/// Most password hashes at once: each takes a core and the memory of its cost, and strangers can ask for them.
const HASHES_MAX: usize = 2;

/// Answers questions.
pub(crate) struct Outside {
    hashes: Arc<Semaphore>,
    http: http::Servers,
    server: KnownFacts,
    devices: (Followers, DeviceRules),
    metrics: Arc<Metrics>,
    environment: Arc<Environment>,
}

impl Outside {
    /// Prepares to answer; `server` is what the settings say of this server, `devices` which audit devices there are and
    /// where they may write.
    pub(crate) fn new(
        server: KnownFacts,
        devices: (Followers, DeviceRules),
        metrics: Arc<Metrics>,
        environment: Arc<Environment>,
    ) -> Self {
        let hashes = Arc::new(Semaphore::new(HASHES_MAX));
        Self { hashes, http: http::Servers::default(), server, devices, metrics, environment }
    }

    /// Answers a question; what goes wrong is an answer too.
    pub(crate) async fn answer(&self, question: Question) -> Answer {
        match question {
            Question::PasswordHash(question) => self.hash(question).await,
            Question::Http(question) => self.http.answer(question).await,
            Question::OpenDevice(target) => self.check_device(target).await,
            Question::Metrics(format) => {
                self.devices.0.measure(&self.metrics);
                self.metrics.write(format, self.environment.now()).map_or_else(Answer::Failed, Answer::Text)
            }
            Question::Server => Answer::Server(Box::new(self.server.now())),
        }
    }

    async fn check_device(&self, target: Target) -> Answer {
        let (followers, rules) = &self.devices;
        followers.check(&target, rules).await.map_or_else(Answer::Failed, Answer::Opened)
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
