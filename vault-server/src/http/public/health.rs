//! `sys/health`: one status code for each state, for load balancers and probes; the caller may choose the codes.

use http::{Method, StatusCode};
use serde::Serialize;
use vault_core::refusal::Refusal;

use super::{Answer, Call};
use crate::http::envelope;

const SEALED: u16 = 503;
const UNINITIALISED: u16 = 501;
const ACTIVE: u16 = 200;

#[derive(Serialize)]
struct Health {
    initialized: bool,
    sealed: bool,
    standby: bool,
    performance_standby: bool,
    replication_performance_mode: &'static str,
    replication_dr_mode: &'static str,
    server_time_utc: i64,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
}

pub(super) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_read() {
            return Err(Refusal::unsupported());
        }
        let status = call.edge.vault.status().await?;
        let (parameter, usual) = if status.config.is_none() {
            ("uninitcode", UNINITIALISED)
        } else if status.sealed {
            ("sealedcode", SEALED)
        } else {
            ("activecode", ACTIVE)
        };
        let code = code(&call, parameter, usual)?;
        if *call.method == Method::HEAD {
            return Ok(envelope::empty(code));
        }
        let known = status.vault().filter(|_| !status.sealed);
        let health = Health {
            initialized: status.config.is_some(),
            sealed: status.sealed,
            standby: false,
            performance_standby: false,
            replication_performance_mode: "disabled",
            replication_dr_mode: "disabled",
            server_time_utc: call.edge.vault.environment().now().unix_seconds(),
            version: crate::VERSION,
            cluster_name: known.map(|vault| format!("keyturn-{}", vault.fingerprint())),
            cluster_id: known.map(|vault| vault.to_string()),
        };
        Ok(envelope::json(code, &health))
    })
}

/// Takes the caller's code for a state. Codes for states that one node never has (`standbycode`,
/// `drsecondarycode`, `performancestandbycode`, `standbyok`, `perfstandbyok`) are accepted and never needed.
fn code(call: &Call<'_>, parameter: &str, usual: u16) -> Result<StatusCode, Refusal> {
    let refused = || Refusal::invalid(format!("{parameter} is not a status code from 200 to 599"));
    let code = match call.parameter(parameter) {
        None => usual,
        Some(text) => text.parse().ok().filter(|code| (200..600).contains(code)).ok_or_else(refused)?,
    };
    StatusCode::from_u16(code).map_err(|_| refused())
}
