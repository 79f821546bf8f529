//! `tools/`: hashes and random bytes for those who have no other source of them.

use data_encoding::{BASE64, HEXLOWER};
use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::{Call, Step};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};
use zeroize::Zeroizing;

/// Most random bytes of one call, as in Vault.
const RANDOM_BYTES_MAX: usize = 128 * 1024;

/// How many bytes are drawn when nobody says.
const RANDOM_BYTES_DEFAULT: usize = 32;

#[derive(Deserialize)]
struct HashAsk {
    input: Option<String>,
    algorithm: Option<String>,
    format: Option<String>,
}

#[derive(Deserialize)]
struct RandomAsk {
    bytes: Option<Value>,
    format: Option<String>,
    source: Option<String>,
}

pub(super) fn hash(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: HashAsk = call.request.parse()?;
    let input = ask.input.ok_or_else(|| Refusal::invalid("'input' is needed, in base64"))?;
    let input = BASE64
        .decode(input.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| Refusal::invalid("unable to decode input as base64"))?;
    let in_path = Some(call.capture("algorithm")).filter(|name| !name.is_empty());
    let digest = match in_path.or(ask.algorithm.as_deref()).unwrap_or("sha2-256") {
        "sha2-224" => Sha224::digest(&*input).to_vec(),
        "sha2-256" => Sha256::digest(&*input).to_vec(),
        "sha2-384" => Sha384::digest(&*input).to_vec(),
        "sha2-512" => Sha512::digest(&*input).to_vec(),
        other => {
            let known = "sha2-224, sha2-256, sha2-384 or sha2-512";
            return Err(Refusal::invalid(format!("unsupported algorithm {other:?}: take {known}")).into());
        }
    };
    let sum = encode(&digest, ask.format.as_deref().unwrap_or("hex"))?;
    Ok(Step::answer(Reply::data(&json!({ "sum": sum }))?))
}

pub(super) fn random(call: &Call<'_>, _: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: RandomAsk = call.request.parse()?;
    let mut bytes = RANDOM_BYTES_DEFAULT;
    if let Some(value) = &ask.bytes {
        bytes = count(&value.to_string())?;
    }
    let mut source = ask.source;
    // The path may name the source, the number, or both.
    for segment in call.capture("rest").split('/').filter(|segment| !segment.is_empty()) {
        match segment {
            "platform" | "all" => source = Some(segment.to_owned()),
            number => bytes = count(number)?,
        }
    }
    if !matches!(source.as_deref(), None | Some("" | "platform" | "all")) {
        return Err(Refusal::invalid("the source of random bytes is 'platform'; there is no other").into());
    }
    let mut drawn = Zeroizing::new(vec![0; bytes]);
    rng.fill_bytes(&mut drawn);
    let text = Zeroizing::new(encode(&drawn, ask.format.as_deref().unwrap_or("base64"))?);
    Ok(Step::answer(Reply::data(&json!({ "random_bytes": *text }))?))
}

fn count(text: &str) -> Result<usize, Refusal> {
    let number = text.trim_matches('"').parse().ok().filter(|number| (1..=RANDOM_BYTES_MAX).contains(number));
    number.ok_or_else(|| Refusal::invalid(format!("'bytes' must be from 1 to {RANDOM_BYTES_MAX}")))
}

fn encode(bytes: &[u8], format: &str) -> Result<String, Refusal> {
    match format {
        "hex" => Ok(HEXLOWER.encode(bytes)),
        "base64" => Ok(BASE64.encode(bytes)),
        other => Err(Refusal::invalid(format!("unsupported encoding format {other:?}; must be \"hex\" or \"base64\""))),
    }
}
