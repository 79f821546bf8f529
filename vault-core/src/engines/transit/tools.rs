//! `random` and `hash`: what needs no key, and is also served below `sys/tools/`.

use data_encoding::{BASE64, HEXLOWER};
use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use super::ask::{self, Whole};
use super::hash::HashAlgorithm;
use crate::engines::{Call, Step};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::{SecretBytes, SecretText};
use crate::view::{Interrupt, View};

/// Most random bytes in one answer, as in Vault.
const RANDOM_BYTES_MAX: u32 = 128 * 1024;

fn encoded(bytes: &[u8], format: &str) -> Result<String, Refusal> {
    match format {
        "hex" => Ok(HEXLOWER.encode(bytes)),
        "base64" => Ok(BASE64.encode(bytes)),
        _ => Err(Refusal::invalid("unsupported encoding format: give hex or base64")),
    }
}

/// Gives random bytes. All sources are one here: the generator of the server.
pub(in crate::engines) fn random(call: &Call<'_>, _: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    #[derive(Deserialize)]
    struct Ask {
        bytes: Option<Whole>,
        format: Option<String>,
        source: Option<String>,
    }
    let ask: Ask = call.request.parse()?;
    let first = call.capture("source");
    let (source, in_path) = match first.parse::<u32>() {
        Ok(_) => ("", first),
        Err(_) => (first, call.capture("bytes")),
    };
    let source = if source.is_empty() { ask.source.as_deref().unwrap_or_default() } else { source };
    if !matches!(source, "" | "platform" | "seal" | "all") {
        return Err(Refusal::invalid("unsupported entropy source: give platform, seal or all").into());
    }
    let wrong = || Refusal::invalid(format!("give 1 to {RANDOM_BYTES_MAX} bytes"));
    let count = match in_path {
        "" => ask.bytes.map_or(32, |bytes| bytes.0),
        digits => digits.parse().map_err(|_| wrong())?,
    };
    if count == 0 || count > RANDOM_BYTES_MAX {
        return Err(wrong().into());
    }
    let mut bytes = vec![0; count as usize];
    rng.fill_bytes(&mut bytes);
    let bytes = SecretBytes::new(bytes);
    let text = SecretText::new(encoded(bytes.expose(), ask.format.as_deref().unwrap_or("base64"))?);
    Ok(Step::answer(Reply::data(&json!({ "random_bytes": text.expose() }))?))
}

pub(in crate::engines) fn hash(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    #[derive(Deserialize)]
    struct Ask {
        input: Option<SecretText>,
        algorithm: Option<String>,
        format: Option<String>,
    }
    let ask: Ask = call.request.parse()?;
    let input = ask.input.as_ref().ok_or_else(|| Refusal::invalid("missing input"))?;
    let input = ask::decode_secret("input", input)?;
    let algorithm = ask::hash(call, ask.algorithm.as_ref())?.unwrap_or(HashAlgorithm::Sha2_256);
    let sum = encoded(&algorithm.digest(input.expose()), ask.format.as_deref().unwrap_or("hex"))?;
    Ok(Step::answer(Reply::data(&json!({ "sum": sum }))?))
}
