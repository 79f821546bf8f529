//! `sys/storage/raft/`: snapshots of the whole vault under the paths of Vault's raft storage, and true answers about a
//! cluster of one.

use rand_core::CryptoRng;
use serde::Serialize;
use serde_json::json;

use super::{Call, Step};
use crate::refusal::Refusal;
use crate::reply::{Reply, RestorePermit, RestoreProof, SnapshotPermit};
use crate::view::{Interrupt, View};

/// Names the only server.
const SERVER: &str = "keyturn";

pub(super) fn save(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::Snapshot(SnapshotPermit::new())))
}

pub(super) fn restore(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::Restore(RestorePermit::new(RestoreProof::OwnSeal))))
}

pub(super) fn restore_forced(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::Restore(RestorePermit::new(RestoreProof::SumsOnly))))
}

/// Describes a cluster of one. The store is no raft log: it has no index, no protocol and no address for peers.
pub(super) fn configuration(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let server = json!({"node_id": SERVER, "address": "", "leader": true, "voter": true, "protocol_version": "0"});
    answer(&json!({"config": {"index": 0, "servers": [server]}}))
}

pub(super) fn autopilot_state(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let server = json!({
        "id": SERVER, "name": SERVER, "address": "", "node_status": "alive", "node_type": "voter", "status": "leader",
        "healthy": true, "last_contact": "0s", "last_index": 0, "last_term": 0,
    });
    answer(&json!({
        "healthy": true, "failure_tolerance": 0, "leader": SERVER, "voters": [SERVER], "servers": {SERVER: server},
    }))
}

/// Says that nothing is done by itself.
pub(super) fn autopilot_configuration(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    answer(&json!({
        "cleanup_dead_servers": false, "dead_server_last_contact_threshold": "0s", "last_contact_threshold": "0s",
        "max_trailing_logs": 0, "min_quorum": 0, "server_stabilization_time": "0s", "disable_upgrade_migration": true,
    }))
}

pub(super) fn refuse_peers(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Err(Refusal::invalid(
        "raft storage is not in use: this vault is a single server, and no other can join or leave it",
    )
    .into())
}

pub(super) fn refuse_autopilot(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Err(Refusal::invalid("raft storage is not in use: a single server has no autopilot to configure").into())
}

fn answer<T: Serialize>(data: &T) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::data(data)?))
}
