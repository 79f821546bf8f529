//! The kinds of devices, each with its options as `sys/audit` takes them.
//!
//! How to add one: a line in [`KINDS`], a variant of [`Target`], and a file that writes to it in
//! `vault-server/src/audit_log/devices`.

use std::collections::BTreeMap;

use super::Target;
use crate::refusal::Refusal;

/// The options of a device as they were given.
pub(crate) type Options = BTreeMap<String, String>;

/// Options that every kind knows. What is copied is the log as it is, without a value in clear: they have one value each.
const COMMON: [(&str, &[&str]); 4] = [
    ("format", &["json", ""]),
    ("log_raw", &["false"]),
    ("hmac_accessor", &["true"]),
    ("elide_list_responses", &["false"]),
];

const FACILITIES: [&str; 7] = ["AUTH", "AUTHPRIV", "DAEMON", "USER", "LOCAL0", "LOCAL1", "LOCAL7"];

/// Longest tag: that of an APP-NAME (RFC 5424 section 6).
const TAG_LENGTH_MAX: usize = 48;

struct Kind {
    name: &'static str,
    options: &'static [&'static str],
    parse: fn(&Options) -> Result<Target, Refusal>,
}

static KINDS: [Kind; 4] = [
    Kind { name: "file", options: &["prefix", "file_path", "path", "mode"], parse: file },
    Kind { name: "socket", options: &["prefix", "address", "socket_type", "write_timeout"], parse: socket },
    Kind { name: "syslog", options: &["prefix", "facility", "tag", "address"], parse: syslog },
    // Without a prefix: its lines are JSON for the other end.
    Kind { name: "webhook", options: &["url"], parse: webhook },
];

/// Gives the names of all kinds.
pub fn kind_names() -> [&'static str; KINDS.len()] {
    KINDS.each_ref().map(|kind| kind.name)
}

/// Reads where a device of this kind copies to.
///
/// # Errors
/// Refuses kinds and options that are not known, and values that an option cannot have.
pub(crate) fn target(kind: &str, options: &Options) -> Result<Target, Refusal> {
    let Some(found) = KINDS.iter().find(|own| own.name == kind) else {
        let names = kind_names().join(", ");
        return Err(Refusal::invalid(format!("unknown type {kind:?}: take one of {names}")));
    };
    let known: Vec<&str> = found.options.iter().copied().chain(COMMON.map(|(name, _)| name)).collect();
    if let Some(unknown) = options.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Refusal::invalid(format!("option {unknown:?} is not known; {kind} knows {}", known.join(", "))));
    }
    COMMON.iter().try_for_each(|(name, allowed)| fixed(option(options, name), name, allowed))?;
    (found.parse)(options)
}

fn file(options: &Options) -> Result<Target, Refusal> {
    let path = option(options, "file_path").or(option(options, "path")).unwrap_or_default().to_owned();
    if path.is_empty() {
        return Err(Refusal::invalid("option \"file_path\" is needed"));
    }
    fixed(option(options, "mode"), "mode", &["0600", "600"])?;
    Ok(Target::File { path })
}

fn socket(options: &Options) -> Result<Target, Refusal> {
    let kind = option(options, "socket_type").unwrap_or("tcp").to_owned();
    fixed(Some(&kind), "socket_type", &["tcp", "udp", "unix"])?;
    Ok(Target::Socket { kind, address: needed(options, "address")? })
}

fn syslog(options: &Options) -> Result<Target, Refusal> {
    let facility = option(options, "facility").unwrap_or("AUTH").to_uppercase();
    fixed(Some(&facility), "facility", &FACILITIES)?;
    let tag = option(options, "tag").unwrap_or("keyturn").to_owned();
    if option(options, "address").is_none() {
        return Ok(Target::Syslog { facility, tag });
    }
    let is_sound = (1..=TAG_LENGTH_MAX).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_sound {
        return Err(Refusal::invalid(format!("option \"tag\" needs 1 to {TAG_LENGTH_MAX} printable ASCII characters")));
    }
    Ok(Target::SyslogTls { address: needed(options, "address")?, facility, tag })
}

fn webhook(options: &Options) -> Result<Target, Refusal> {
    Ok(Target::Webhook { url: needed(options, "url")? })
}

fn option<'a>(options: &'a Options, name: &str) -> Option<&'a str> {
    options.get(name).map(String::as_str)
}

fn needed(options: &Options, name: &str) -> Result<String, Refusal> {
    let given = option(options, name).filter(|text| !text.is_empty());
    given.map(str::to_owned).ok_or_else(|| Refusal::invalid(format!("option {name:?} is needed")))
}

/// Checks an option that has only some values.
fn fixed(given: Option<&str>, name: &str, allowed: &[&str]) -> Result<(), Refusal> {
    match given {
        Some(value) if !allowed.contains(&value) => {
            Err(Refusal::invalid(format!("option {name:?} can be {}", allowed.join(", "))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options(given: &[(&str, &str)]) -> Options {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_kind_reads_its_options_and_no_other() {
        let (address, tag, url) = ("logs.example.org:6514", "vault", "https://logs.example.org/");
        let read = |kind: &str, given: &[(&str, &str)]| target(kind, &options(given));
        let cases = [
            ("file", vec![("file_path", "a")], Target::File { path: "a".into() }),
            (
                "socket",
                vec![("address", address), ("prefix", "x")],
                Target::Socket { kind: "tcp".into(), address: address.into() },
            ),
            ("syslog", vec![], Target::Syslog { facility: "AUTH".into(), tag: "keyturn".into() }),
            (
                "syslog",
                vec![("address", address), ("tag", tag), ("facility", "local0")],
                Target::SyslogTls { address: address.into(), facility: "LOCAL0".into(), tag: tag.into() },
            ),
            ("webhook", vec![("url", url)], Target::Webhook { url: url.into() }),
        ];
        for (kind, given, expected) in cases {
            assert_eq!(read(kind, &given).unwrap(), expected);
            assert_eq!(expected.kind(), kind);
            let more = [given.as_slice(), &[("unknown", "x")]].concat();
            assert!(read(kind, &more).unwrap_err().public.contains("\"unknown\""), "{kind}");
            assert!(read(kind, &[given.as_slice(), &[("log_raw", "true")]].concat()).is_err(), "{kind}");
        }
        for (kind, given) in [
            ("webhook", vec![("url", url), ("prefix", "x")]),
            ("webhook", vec![("url", "")]),
            ("webhook", vec![]),
            ("syslog", vec![("address", "")]),
            ("syslog", vec![("address", address), ("tag", "a b")]),
            ("syslog", vec![("address", address), ("tag", "")]),
            ("syslog", vec![("facility", "KERN")]),
            ("http", vec![]),
        ] {
            assert!(read(kind, &given).is_err(), "{kind} {given:?}");
        }
    }

    proptest! {
        #[test]
        fn no_options_panic(kind in "file|socket|syslog|webhook|\\PC{0,9}", name in "url|tag|address|\\PC{0,9}", value in "\\PC{0,60}") {
            let _ = target(&kind, &options(&[(&name, &value)]));
        }
    }
}
