//! Takes and restores snapshots, once a request for it was approved and is on record.

use std::fs::File;
use std::future::Future;
use std::io::{BufReader, Seek, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use vault_core::audit::{Record, SnapshotEvent};
use vault_core::refusal::{Class, Refusal};
use vault_core::reply::{RestorePermit, RestoreProof, SnapshotPermit};
use vault_core::time::Timestamp;

use crate::driver::{Caller, Open, Vault, log_refusal, store_refusal};
use crate::snapshot::{self, Facts, Proof, SnapshotError, Verified};
use crate::storage::Dump;

/// Bytes that are sent, or written to disk, as one piece.
const PIECE_BYTES: usize = 64 << 10;

/// Pieces that wait for a client; beyond it the snapshot waits.
const PIECES_WAITING_MAX: usize = 4;

/// Longest wait for a client to take a piece: a snapshot that nobody takes keeps the store from giving back space.
const STALL_MAX: Duration = Duration::from_secs(60);

/// What may be told about snapshots.
#[derive(Clone, Debug)]
pub struct SnapshotSettings {
    /// Largest archive that is restored, in bytes, and largest `state.bin` inside it.
    pub restore_bytes_max: u64,
    /// Longest time for taking or uploading one.
    pub span_max: Duration,
    /// Where an upload waits until it is verified, in a file without a name that only this process can reach.
    pub directory: PathBuf,
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        let directory = std::env::temp_dir();
        Self { restore_bytes_max: 8 << 30, span_max: Duration::from_secs(3_600), directory }
    }
}

/// Gives the next piece of an upload; `None` at its end.
pub type NextPiece<'a> = Pin<Box<dyn Future<Output = Result<Option<Bytes>, Refusal>> + Send + 'a>>;

/// An archive as it comes in. Nothing is asked of it before the restore was approved.
pub trait Upload: Send {
    /// Waits for the next piece.
    fn next(&mut self) -> NextPiece<'_>;
}

impl Vault {
    /// Takes a snapshot and gives its pieces as they come; an error ends them early.
    ///
    /// # Errors
    /// Refuses while another snapshot is taken or restored, and when the store cannot be read.
    pub async fn take_snapshot(
        self: &Arc<Self>,
        _: SnapshotPermit,
        caller: Caller,
    ) -> Result<mpsc::Receiver<std::io::Result<Bytes>>, Refusal> {
        let turn = self.snapshot_turn()?;
        let open = self.unsealed()?;
        let facts = Facts { vault: open.barrier().vault(), created_at: self.environment.now() };
        // Sealing must not wait for a slow client, so that the keys are not held: without them the end is not made.
        let keys = Arc::downgrade(&open);
        drop(open);
        let dump = self.storage.dump().await.map_err(|error| store_refusal(&error))?;
        let (pieces, receiver) = mpsc::channel(PIECES_WAITING_MAX);
        let vault = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let seal = |sums: &[u8]| keys.upgrade().map(|open: Arc<Open>| open.barrier().snapshots().hash(&[sums]));
            vault.stream(dump, facts, seal, pieces, caller);
            drop(turn);
        });
        Ok(receiver)
    }

    fn stream(
        &self,
        dump: Dump,
        facts: Facts,
        seal: impl FnOnce(&[u8]) -> Option<[u8; 32]>,
        pieces: mpsc::Sender<std::io::Result<Bytes>>,
        caller: Caller,
    ) {
        let ends_at = Instant::now() + self.settings.snapshots.span_max;
        let taken_at = facts.created_at;
        let mut out = Pieces { pieces, piece: Vec::with_capacity(PIECE_BYTES), ends_at, runtime: Handle::current() };
        match snapshot::save(dump, facts, seal, &mut out) {
            Ok(sha256) => {
                self.note_snapshot(&SnapshotEvent::Saved { sha256: &sha256 }, caller);
                out.runtime.block_on(self.note_saved(taken_at));
            }
            Err(error) => {
                let reason = error.to_string();
                tracing::warn!(request_id = %caller.id, "the snapshot was cut off: {reason}");
                self.note_snapshot(&SnapshotEvent::SaveFailed { reason: &reason }, caller);
                // The connection ends with an error, so that nobody takes half for the whole.
                out.fail();
            }
        }
    }

    /// Notes when the vault was backed up. The snapshot is good also where that fails.
    async fn note_saved(&self, taken_at: Timestamp) {
        self.metrics.limits.backup_last_time.set(taken_at.unix_seconds());
        let Some(open) = self.open.load_full() else { return };
        if let Err(refusal) = self.note_backup(&open, Some(taken_at)).await {
            let reason = refusal.private.as_deref().unwrap_or(&refusal.public);
            tracing::warn!("that a snapshot was taken cannot be noted: {reason}");
        }
    }

    /// Replaces the vault's content by an uploaded snapshot, once that is verified to its last byte. The vault is then
    /// sealed: its keys may be others now. It goes on if the caller goes away.
    ///
    /// # Errors
    /// Refuses, with the content as it was. A snapshot that does not verify leaves the vault unsealed; what fails
    /// after that leaves it sealed.
    pub async fn restore_snapshot(
        self: &Arc<Self>,
        permit: RestorePermit,
        upload: Box<dyn Upload>,
        caller: Caller,
    ) -> Result<(), Refusal> {
        let vault = Arc::clone(self);
        let restoring = tokio::spawn(async move {
            let outcome = vault.restore(permit, upload, caller).await;
            if let Err(refusal) = &outcome {
                let reason = refusal.private.as_deref().unwrap_or(&refusal.public);
                vault.note_snapshot(&SnapshotEvent::RestoreFailed { reason }, caller);
            }
            outcome
        });
        restoring.await.map_err(|error| Refusal::internal(format!("restoring: {error}")))?
    }

    async fn restore(&self, permit: RestorePermit, upload: Box<dyn Upload>, caller: Caller) -> Result<(), Refusal> {
        let _turn = self.snapshot_turn()?;
        let longest = self.settings.snapshots.span_max;
        let file = match tokio::time::timeout(longest, self.receive(upload)).await {
            Ok(received) => received?,
            Err(_) => return Err(Refusal::new(Class::Unavailable, "the upload took too long and was given up")),
        };
        let (file, verified) = self.verify(file, &permit).await?;
        let rows = on_blocking_thread(move || {
            snapshot::rows(BufReader::new(file), &verified.1).map(|rows| (rows, verified.0))
        });
        let (rows, sha256) = rows.await?;
        let record = self.snapshot_record(&SnapshotEvent::Restoring { sha256: &sha256 }, caller);
        self.log.append_durable(record).await.map_err(|error| log_refusal(&error))?;
        // Nobody can unseal until this is over: old keys must not meet new rows.
        let mut phase = self.seal_and_hold().await?;
        let outcome = self.storage.replace(rows).await;
        *phase = super::seals::Phase::Unknown;
        drop(phase);
        outcome.map_err(|error| store_refusal(&error))?;
        let record = self.snapshot_record(&SnapshotEvent::Restored, caller);
        if let Err(error) = self.log.append_durable(record).await {
            tracing::error!(request_id = %caller.id, "a restore is done, and that is not on record: {error}");
        }
        tracing::info!(request_id = %caller.id, "the vault's content was replaced by a snapshot; it is sealed");
        Ok(())
    }

    /// Collects an upload within its bound.
    async fn receive(&self, mut upload: Box<dyn Upload>) -> Result<File, Refusal> {
        let SnapshotSettings { restore_bytes_max, directory, .. } = self.settings.snapshots.clone();
        let mut file =
            on_blocking_thread(move || tempfile::tempfile_in(directory).map_err(|error| disk(&error))).await?;
        let (mut received, mut piece) = (0_u64, Vec::new());
        loop {
            let next = upload.next().await?;
            let ends = next.is_none();
            let bytes = next.unwrap_or_default();
            received += bytes.len() as u64;
            if received > restore_bytes_max {
                let text = format!("the snapshot is larger than {restore_bytes_max} bytes; see restore_bytes_max");
                return Err(Refusal::new(Class::TooLarge, text));
            }
            piece.extend_from_slice(&bytes);
            if piece.len() >= PIECE_BYTES || ends {
                let full = std::mem::take(&mut piece);
                let write = move || file.write_all(&full).map(|()| file).map_err(|error| disk(&error));
                file = on_blocking_thread(write).await?;
            }
            if ends {
                return Ok(file);
            }
        }
    }

    /// Verifies an upload, and gives its file back for the rows.
    async fn verify(&self, mut file: File, permit: &RestorePermit) -> Result<(File, (String, Verified)), Refusal> {
        let state_bytes_max = self.settings.snapshots.restore_bytes_max;
        let own = match permit.proof() {
            RestoreProof::OwnSeal => {
                let open = self.unsealed()?;
                Some((open.barrier().vault(), Arc::downgrade(&open)))
            }
            RestoreProof::SumsOnly => None,
        };
        on_blocking_thread(move || {
            file.rewind().map_err(|error| disk(&error))?;
            let source = BufReader::new(&file);
            let verified = match own {
                None => snapshot::verify(source, state_bytes_max, &Proof::SumsOnly)?,
                Some((vault, keys)) => {
                    let is_own = |sums: &[u8], seal: &[u8; 32]| {
                        let open = keys.upgrade().ok_or(SnapshotError::Sealed)?;
                        Ok(open.barrier().snapshots().verify(&[sums], seal))
                    };
                    snapshot::verify(source, state_bytes_max, &Proof::OwnSeal(vault, &is_own))?
                }
            };
            file.rewind().map_err(|error| disk(&error))?;
            Ok((file, (verified.sha256.clone(), verified)))
        })
        .await
    }

    /// Takes the one turn there is: two uploads would take twice the disk, two dumps hold back the store for longer.
    fn snapshot_turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let busy = |_| Refusal::new(Class::Busy, "another snapshot is being taken or restored; try again later");
        Arc::clone(&self.snapshot_turns).try_acquire_owned().map_err(busy)
    }

    fn snapshot_record(&self, event: &SnapshotEvent<'_>, caller: Caller) -> Record {
        Record::of_snapshot_event(event, caller.id, caller.remote, self.environment.now())
    }

    fn note_snapshot(&self, event: &SnapshotEvent<'_>, caller: Caller) {
        self.log.append(self.snapshot_record(event, caller));
    }
}

async fn on_blocking_thread<T: Send + 'static, E: Send + 'static>(
    act: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Refusal>
where
    Refusal: From<Failed<E>>,
{
    let done = tokio::task::spawn_blocking(act).await;
    done.map_err(|error| Refusal::internal(format!("restoring: {error}")))?.map_err(|error| Failed(error).into())
}

/// What failed on a thread that may block.
struct Failed<E>(E);

impl From<Failed<SnapshotError>> for Refusal {
    fn from(Failed(error): Failed<SnapshotError>) -> Self {
        match error {
            SnapshotError::TooLarge { .. } => Self::new(Class::TooLarge, format!("the snapshot is refused: {error}")),
            SnapshotError::Sealed => Self::new(Class::Unavailable, "Vault is sealed"),
            SnapshotError::Io { what } => Self::new(
                Class::Unavailable,
                "the upload cannot be kept on the server's disk; the server's log has the details",
            )
            .with_private(what),
            SnapshotError::Shape { .. } | SnapshotError::Altered { .. } | SnapshotError::Foreign => {
                Self::invalid(format!("the snapshot is refused: {error}"))
            }
        }
    }
}

fn disk(error: &std::io::Error) -> SnapshotError {
    SnapshotError::Io { what: format!("the file of the upload: {error}") }
}

/// Hands what is written to a client, a piece at a time, and waits for it within bounds.
struct Pieces {
    pieces: mpsc::Sender<std::io::Result<Bytes>>,
    piece: Vec<u8>,
    ends_at: Instant,
    runtime: Handle,
}

impl Pieces {
    fn send(&self, piece: std::io::Result<Bytes>) -> std::io::Result<()> {
        let longest = STALL_MAX.min(self.ends_at.saturating_duration_since(Instant::now()));
        let sending = async { tokio::time::timeout(longest, self.pieces.send(piece)).await };
        match self.runtime.block_on(sending) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(std::io::Error::other("the client has gone away")),
            Err(_) => Err(std::io::Error::other("the client takes too long")),
        }
    }

    fn fail(&self) {
        let _ = self.send(Err(std::io::Error::other("the snapshot was cut off")));
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = PIECE_BYTES - self.piece.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.piece.extend_from_slice(taken);
        if self.piece.len() == PIECE_BYTES {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        self.send(Ok(full.into()))
    }
}
