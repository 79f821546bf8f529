//! `sys/leader`: the one node there is leads.

use http::StatusCode;
use serde::Serialize;
use vault_core::refusal::{Class, Refusal};

use super::{Answer, Call};
use crate::http::envelope;

#[derive(Serialize)]
struct Leader<'a> {
    ha_enabled: bool,
    is_self: bool,
    active_time: &'static str,
    leader_address: &'a str,
    leader_cluster_address: &'static str,
    performance_standby: bool,
    performance_standby_last_remote_wal: u64,
}

pub(super) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_read() {
            return Err(Refusal::unsupported());
        }
        if call.edge.vault.status().await?.sealed {
            return Err(Refusal::new(Class::Unavailable, "Vault is sealed"));
        }
        let leader = Leader {
            ha_enabled: false,
            is_self: true,
            active_time: "0001-01-01T00:00:00Z",
            leader_address: &call.edge.settings.api_address,
            leader_cluster_address: "",
            performance_standby: false,
            performance_standby_last_remote_wal: 0,
        };
        Ok(envelope::json(StatusCode::OK, &leader))
    })
}
