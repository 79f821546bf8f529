//! Metrics at the edge: which text format a reader understands, and what anybody is told where the settings say so.

use http::{HeaderMap, Method, header};
use vault_core::path::RequestPath;
use vault_core::question::MetricsFormat;
use vault_core::refusal::Refusal;
use vault_core::reply::Reply;
use vault_core::secret::SecretBytes;

use super::Edge;
use crate::metrics::classic;

const PATH: &str = "sys/metrics";
const MEDIA_TYPE_OPEN_METRICS: &str = "application/openmetrics-text";
const MEDIA_TYPE_CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Tells whether metrics are asked for and told to anybody.
pub(super) fn are_public(edge: &Edge, method: &Method, path: &RequestPath) -> bool {
    edge.settings.unauthenticated_metrics_access && *method == Method::GET && path.as_str() == PATH
}

/// Answers with what anybody is told, sealed or not.
pub(super) fn tell(edge: &Edge, headers: &HeaderMap, parameters: &[(String, String)]) -> Result<Reply, Refusal> {
    let word = parameters.iter().find(|(name, _)| name == "format").map(|(_, value)| value.as_str());
    let format = MetricsFormat::parse(word)?;
    let text = edge.vault.metrics().write_nameless(format, edge.vault.environment().now());
    let text = text.map_err(Refusal::internal)?;
    let reply = Reply::Raw { media_type: format.media_type(), body: SecretBytes::new(text.into_bytes()) };
    Ok(negotiate(headers, reply))
}

/// Rewrites metrics for a reader who does not ask for OpenMetrics; any other reply stays what it is.
pub(super) fn negotiate(headers: &HeaderMap, reply: Reply) -> Reply {
    match reply {
        Reply::Raw { media_type, body }
            if media_type == MetricsFormat::Prometheus.media_type() && !accepts_open_metrics(headers) =>
        {
            let text = classic::of(&String::from_utf8_lossy(body.expose()));
            Reply::Raw { media_type: MEDIA_TYPE_CLASSIC, body: SecretBytes::new(text.into_bytes()) }
        }
        reply => reply,
    }
}

/// Tells whether `Accept` names OpenMetrics (RFC 9110 section 12.5.1), with any weight but zero.
fn accepts_open_metrics(headers: &HeaderMap) -> bool {
    let given = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(MEDIA_TYPE_OPEN_METRICS));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        is_named && weight.is_none_or(|weight| weight.parse::<f64>().is_ok_and(|weight| weight > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_those_who_name_it() {
        let accepts = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, text.parse().unwrap());
            accepts_open_metrics(&headers)
        };
        // What Prometheus 2.42 sends.
        assert!(accepts(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ));
        assert!(accepts("text/html, Application/OpenMetrics-Text; q=0.2"));
        for other in ["*/*", "text/plain;version=0.0.4", "application/openmetrics-text;q=0", "application/openmetrics"]
        {
            assert!(!accepts(other), "{other}");
        }
        assert!(!accepts_open_metrics(&HeaderMap::new()));
    }
}
