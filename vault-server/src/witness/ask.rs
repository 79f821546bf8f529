//! Asks witnesses to sign for the log, and tells whether enough of them have.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use tokio::sync::Mutex;
use vault_log::folder::TreeFolder;
use vault_log::proof::{Growth, SignedCheckpoint};
use vault_log::witness::{Question, WitnessKey};

use crate::alerts::read_file;
use crate::config::{AuditSettings, WitnessOutage, WitnessSettings};
use crate::outside::http::{checked, client, describe};

/// Longest wait for one witness.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Longest answer of a witness, in bytes.
const ANSWER_LENGTH_BYTES_MAX: usize = 8 << 10;

/// The witnesses of a vault, and how many of them must have signed.
#[derive(Debug, Default)]
pub struct Witnesses {
    list: Vec<Witness>,
    required: usize,
    outage: WitnessOutage,
}

#[derive(Debug)]
struct Witness {
    url: String,
    key: WitnessKey,
    ca: Option<PathBuf>,
    /// The newest checkpoint that it has signed for, with its line; who holds the lock asks for all who wait.
    signed: Mutex<Option<SignedCheckpoint>>,
}

/// What came of asking.
pub(crate) struct Asked {
    /// The newest checkpoint that a witness has signed for, with the lines of those who signed for that one.
    pub(crate) signed: Option<SignedCheckpoint>,
    /// How many have signed.
    pub(crate) count: usize,
    /// What went wrong with the others, each by its name.
    pub(crate) failures: Vec<String>,
}

impl Witnesses {
    /// Knows the witnesses of the settings.
    pub fn of(settings: &AuditSettings) -> Self {
        let list = settings.witness.iter().filter_map(Witness::of).collect();
        Self { list, required: settings.witnesses, outage: settings.witness_outage }
    }

    /// Tells whether there are none to ask.
    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Tells how many must have signed before a release.
    pub(crate) const fn required(&self) -> usize {
        self.required
    }

    /// Tells what becomes of a release when they have not.
    pub(crate) const fn outage(&self) -> WitnessOutage {
        self.outage
    }

    /// Sees to it that witnesses have signed for the first `records` records, at least.
    pub(crate) async fn cover(&self, records: u64, tree: &TreeFolder) -> Asked {
        let answers = join_all(self.list.iter().map(|witness| witness.cover(records, tree))).await;
        let mut asked = Asked { signed: None, count: 0, failures: Vec::new() };
        for (witness, answer) in self.list.iter().zip(answers) {
            match answer {
                Ok(signed) => {
                    asked.count += 1;
                    asked.take(signed);
                }
                Err(reason) => asked.failures.push(format!("{}: {reason}", witness.key.name())),
            }
        }
        asked
    }
}

impl Asked {
    /// Takes the newest checkpoint; of one and the same, the lines of all.
    fn take(&mut self, other: SignedCheckpoint) {
        match &mut self.signed {
            Some(own) if own.checkpoint == other.checkpoint => {
                let lines = other.note.lines().filter(|line| line.starts_with('—'));
                for line in lines.map(|line| format!("{line}\n")) {
                    if !own.note.contains(&line) {
                        own.note.push_str(&line);
                    }
                }
            }
            Some(own) if own.checkpoint.size > other.checkpoint.size => {}
            own => *own = Some(other),
        }
    }
}

impl Witness {
    fn of(settings: &WitnessSettings) -> Option<Self> {
        // Settings with another key were refused.
        let key = WitnessKey::parse(&settings.key).ok()?;
        let url = format!("{}/add-checkpoint", settings.url.trim_end_matches('/'));
        Some(Self { url, key, ca: settings.ca.clone(), signed: Mutex::new(None) })
    }

    async fn cover(&self, records: u64, tree: &TreeFolder) -> Result<SignedCheckpoint, String> {
        let mut signed = self.signed.lock().await;
        if let Some(signed) = signed.as_ref().filter(|signed| signed.checkpoint.size >= records) {
            return Ok(signed.clone());
        }
        let asking = self.ask(signed.as_ref().map_or(0, |signed| signed.checkpoint.size), records, tree);
        let new = tokio::time::timeout(WAIT_MAX, asking).await;
        let new = new.map_err(|_| format!("it did not answer within {} seconds", WAIT_MAX.as_secs()))??;
        *signed = Some(new.clone());
        Ok(new)
    }

    /// Has the newest checkpoint signed. A witness that remembers something else than we do says so once.
    async fn ask(&self, old: u64, records: u64, tree: &TreeFolder) -> Result<SignedCheckpoint, String> {
        let mut old = old;
        for _ in 0..2 {
            let (question, newest) = question(old, tree.clone()).await?;
            if newest.checkpoint.size < records {
                return Err("the newest checkpoint is not written yet".to_owned());
            }
            let (status, answer) = self.post(question.to_string()).await?;
            match status {
                StatusCode::OK => {
                    let line = answer.lines().find(|line| self.key.verify(&newest.note, line).is_ok());
                    let line = line.ok_or("what it answered is no signature of its key")?;
                    let note = format!("{}{line}\n", newest.note);
                    return Ok(SignedCheckpoint { checkpoint: newest.checkpoint, note });
                }
                StatusCode::CONFLICT => {
                    let signed: u64 = answer.trim().parse().map_err(|_| "it answered with no number")?;
                    if signed > newest.checkpoint.size {
                        let size = newest.checkpoint.size;
                        return Err(format!(
                            "it has signed for {signed} records, and this log has {size}: THE LOG WAS PUT BACK OR CUT OFF"
                        ));
                    }
                    old = signed;
                }
                StatusCode::UNPROCESSABLE_ENTITY => {
                    return Err(format!("it says: {}. THE LOG IS NOT THE ONE THAT IT HAS SIGNED FOR", answer.trim()));
                }
                status => return Err(format!("it answered with status {status}: {}", answer.trim())),
            }
        }
        Err("it contradicts itself about what it has signed for".to_owned())
    }

    async fn post(&self, body: String) -> Result<(StatusCode, String), String> {
        let authorities = match &self.ca {
            Some(path) => read_file(path).await?.expose().to_owned(),
            None => String::new(),
        };
        let request = client(&authorities)?.post(checked(&self.url)?).header(CONTENT_TYPE, "text/plain").body(body);
        let mut response = request.send().await.map_err(|error| describe(&error.without_url()))?;
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error.without_url()))? {
            if answer.len() + chunk.len() > ANSWER_LENGTH_BYTES_MAX {
                return Err(format!("its answer is longer than {ANSWER_LENGTH_BYTES_MAX} bytes"));
            }
            answer.extend_from_slice(&chunk);
        }
        let answer = String::from_utf8(answer).map_err(|_| "its answer is no text".to_owned())?;
        Ok((response.status(), answer))
    }
}

/// Reads the newest checkpoint, and the proof that it goes on from `old` records, away from the threads that serve.
async fn question(old: u64, tree: TreeFolder) -> Result<(Question, SignedCheckpoint), String> {
    let read = move || {
        let newest = tree.last_checkpoint().map_err(|error| error.to_string())?.ok_or("nothing is signed yet")?;
        // Where the witness has seen more there is no proof; its answer tells.
        let growth = Growth::prove(old.min(newest.checkpoint.size), newest.checkpoint.size, &tree);
        let growth = growth.map_err(|error| error.to_string())?;
        Ok::<_, String>((Question { old, growth, checkpoint: newest.note.clone() }, newest))
    };
    tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?
}
