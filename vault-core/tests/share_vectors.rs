//! Reads the share vectors of `vectors/shares.json`: what must be read, verified and combined, and what must be
//! refused and how. See docs/formats.md, "Share".
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vault_core::id::{Epoch, VaultFingerprint};
use vault_core::sharing::{Commitments, Share, ShareError, Threshold, UnsealSecret, VerifiedShare, combine, split};

const VECTORS: &str = include_str!("vectors/shares.json");
const VAULT: VaultFingerprint = VaultFingerprint([0x4B; 8]);
const EPOCH: Epoch = Epoch(3);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetVector {
    note: String,
    vault_fingerprint: String,
    epoch: u32,
    needed: u64,
    total: u64,
    /// The 32 bytes of the unseal secret, of this test only.
    secret: String,
    commitments: Vec<String>,
    good: Vec<GoodVector>,
    bad: Vec<BadVector>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoodVector {
    index: u8,
    hex: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BadVector {
    note: String,
    input: String,
    refused_as: String,
}

fn sets() -> Vec<SetVector> {
    serde_json::from_str(VECTORS).unwrap()
}

fn take(set: &SetVector, input: &str) -> Result<VerifiedShare, ShareError> {
    let vault = VaultFingerprint(HEXLOWER.decode(set.vault_fingerprint.as_bytes()).unwrap().try_into().unwrap());
    let threshold = Threshold::new(set.needed, set.total).unwrap();
    let share = Share::parse(input)?;
    share.check_addressed_to(vault, Epoch(set.epoch), threshold)?;
    Commitments::from_hex(std::slice::from_ref(&set.commitments), threshold).unwrap().verify(share)
}

#[test]
fn good_shares_read_write_and_open() {
    for set in sets() {
        let threshold = Threshold::new(set.needed, set.total).unwrap();
        let commitments = Commitments::from_hex(std::slice::from_ref(&set.commitments), threshold).unwrap();
        assert_eq!(set.good.len() as u64, set.total, "{}", set.note);
        let mut taken = Vec::new();
        for good in set.good.iter().rev() {
            for form in [&good.hex, &good.text] {
                let share = Share::parse(form).unwrap();
                assert_eq!(share.index().get(), good.index);
                assert_eq!(share.to_hex().expose(), good.hex);
                assert_eq!(share.to_text().expose(), good.text);
            }
            taken.push(take(&set, &good.text).unwrap_or_else(|error| panic!("{}: {error}", set.note)));
        }
        let secret = combine(&taken, &commitments).unwrap();
        assert_eq!(HEXLOWER.encode(secret.to_key().expose()), set.secret, "{}", set.note);
    }
}

#[test]
fn bad_shares_are_refused_as_they_should() {
    let mut count = 0;
    for set in sets() {
        for bad in &set.bad {
            let error = take(&set, &bad.input).err().unwrap_or_else(|| panic!("{} was taken", bad.note));
            assert_eq!(format!("{error:?}"), bad.refused_as, "{}", bad.note);
            count += 1;
        }
    }
    assert!(count >= 20, "only {count} bad cases");
}

/// Writes the vectors anew: `cargo test -p vault-core --test share_vectors -- --ignored --nocapture`. Only a new
/// format is a reason to do so, since shares on paper outlive every release.
#[test]
#[ignore = "prints the vectors"]
fn generate() {
    let sets: Vec<SetVector> = [(1, 1), (1, 3), (2, 3), (3, 5)].map(|(t, n)| generate_set(t, n)).into();
    println!("{}", serde_json::to_string_pretty(&sets).unwrap());
}

fn generate_set(needed: u64, total: u64) -> SetVector {
    let mut rng = StdRng::seed_from_u64(needed * 256 + total);
    let threshold = Threshold::new(needed, total).unwrap();
    let secret = UnsealSecret::random(&mut rng);
    let (commitments, shares) = split(&secret, threshold, VAULT, EPOCH, &mut rng).unwrap();
    let good = shares.iter().map(|share| GoodVector {
        index: share.index().get(),
        hex: share.to_hex().expose().to_owned(),
        text: share.to_text().expose().to_owned(),
    });
    let mut set = SetVector {
        note: format!("{threshold}"),
        vault_fingerprint: VAULT.to_string(),
        epoch: EPOCH.0,
        needed,
        total,
        secret: HEXLOWER.encode(secret.to_key().expose()),
        commitments: commitments.to_hex().concat(),
        good: good.collect(),
        bad: Vec::new(),
    };
    for (note, input) in bad_inputs(&shares[0]) {
        let refused_as = format!("{:?}", take(&set, &input).err().unwrap());
        set.bad.push(BadVector { note: note.to_owned(), input, refused_as });
    }
    set
}

fn bad_inputs(share: &Share) -> Vec<(&'static str, String)> {
    let bytes = share.to_bytes();
    let text = share.to_text().expose().to_owned();
    let altered = |position: usize, value: u8| {
        let mut body = bytes.expose()[..78].to_vec();
        body[position] = value;
        let checksum = Sha256::new().chain_update(b"keyturn/v1/share/checksum").chain_update(&body).finalize();
        body.extend_from_slice(&checksum[..4]);
        HEXLOWER.encode(&body)
    };
    let hex = share.to_hex().expose().to_owned();
    let with = |position: usize, letter: &str| {
        let mut typed = text.clone();
        typed.replace_range(position..=position, letter);
        typed
    };
    let other = |position: usize| if &text[position..=position] == "q" { "p" } else { "q" };
    vec![
        ("nothing", String::new()),
        ("not a share", "correct horse battery staple".to_owned()),
        ("format 0, checksum right", altered(0, 0)),
        ("format 2, checksum right", altered(0, 2)),
        ("another vault, checksum right", altered(1, 0)),
        ("an epoch far ahead, checksum right", altered(9, 1)),
        ("an older epoch, checksum right", altered(12, 2)),
        ("index 0, checksum right", altered(13, 0)),
        ("index 255, checksum right", altered(13, 255)),
        ("value altered, checksum right", altered(14, bytes.expose()[14] ^ 1)),
        ("value beyond the group order, checksum right", altered(45, 0xFF)),
        ("blinding altered, checksum right", altered(46, bytes.expose()[46] ^ 1)),
        ("blinding beyond the group order, checksum right", altered(77, 0xFF)),
        ("checksum wrong", format!("{}{}", &hex[..162], if hex.ends_with("00") { "01" } else { "00" })),
        ("hexadecimal with a foreign letter", format!("g{}", &hex[1..])),
        ("base64 of 81 bytes", BASE64URL_NOPAD.encode(&bytes.expose()[..81])),
        ("a letter of the prefix wrong", with(2, "p")),
        ("a letter of group 1 wrong", with(17, other(17))),
        ("a letter of group 2 foreign", with(23, "b")),
        ("the last letter wrong", with(text.len() - 1, other(text.len() - 1))),
        ("the last letter missing", text[..text.len() - 1].to_owned()),
        ("two groups swapped", [&text[..16], &text[22..28], &text[16..22], &text[28..]].concat()),
    ]
}
