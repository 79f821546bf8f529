//! Messages of syslog (RFC 5424) in frames that begin with their length (RFC 5425 section 4.3).

use serde::Deserialize;

use super::syslog::priority;

/// What a field without a value holds (RFC 5424 section 6).
const NIL: &str = "-";

/// Says that the message is UTF-8 (RFC 5424 section 6.4).
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The kind of message (MSGID).
const MESSAGE_ID: &str = "audit";

/// Longest name of a machine (RFC 5424 section 6).
const HOSTNAME_LENGTH_MAX: usize = 255;

/// Digits of a second's fraction (RFC 5424 section 6.2.3).
const FRACTION_DIGITS_MAX: usize = 6;

/// Who sends: what is the same in all messages of a device.
pub(super) struct Sender {
    priority: u8,
    /// HOSTNAME, APP-NAME, PROCID, MSGID and STRUCTURED-DATA.
    fields: String,
}

#[derive(Deserialize)]
struct Timed<'a> {
    time: &'a str,
}

impl Sender {
    /// Names this machine and process.
    pub(super) fn here(facility: &str, tag: &str) -> Self {
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self::new(facility, tag, &hostname, std::process::id())
    }

    fn new(facility: &str, tag: &str, hostname: &str, process: u32) -> Self {
        let hostname: String = hostname.chars().filter(char::is_ascii_graphic).take(HOSTNAME_LENGTH_MAX).collect();
        let hostname = if hostname.is_empty() { NIL } else { hostname.as_str() };
        Self { priority: priority(facility), fields: format!("{hostname} {tag} {process} {MESSAGE_ID} {NIL}") }
    }

    /// Appends the frame of one record to `frames`. The message is the whole record, whatever its length.
    pub(super) fn frame(&self, prefix: &str, record: &str, frames: &mut Vec<u8>) {
        let time = serde_json::from_str::<Timed<'_>>(record).ok().and_then(|record| shortened(record.time));
        let time = time.as_deref().unwrap_or(NIL);
        let Self { priority, fields } = self;
        let message = format!("<{priority}>1 {time} {fields} {BYTE_ORDER_MARK}{prefix}{record}");
        frames.extend_from_slice(message.len().to_string().as_bytes());
        frames.push(b' ');
        frames.extend_from_slice(message.as_bytes());
    }
}

/// Shortens the fraction of a second of a record's time to what a TIMESTAMP may have.
fn shortened(time: &str) -> Option<String> {
    let (seconds, fraction) = time.strip_suffix('Z')?.split_once('.')?;
    let is_time = seconds.bytes().all(|byte| byte.is_ascii_digit() || b"-:T".contains(&byte));
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = fraction.get(..FRACTION_DIGITS_MAX).unwrap_or(fraction);
    (is_time && is_fraction).then(|| format!("{seconds}.{fraction}Z"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes one frame from the front, as a collector does that knows nothing of this file; gives time, the fields after it,
    /// and the message.
    fn unframe(bytes: &[u8]) -> (String, Vec<String>, String, &[u8]) {
        let space = bytes.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let (message, rest) = bytes[space + 1..].split_at(length);
        let message = std::str::from_utf8(message).unwrap();
        let mut parts = message.splitn(8, ' ');
        assert_eq!(parts.next().unwrap(), "<38>1");
        let time = parts.next().unwrap().to_owned();
        let fields = parts.by_ref().take(5).map(str::to_owned).collect();
        (time, fields, parts.next().unwrap().strip_prefix('\u{feff}').unwrap().to_owned(), rest)
    }

    #[test]
    fn a_record_is_framed_to_the_letter() {
        let sender = Sender::new("AUTH", "keyturn", "vault-1.example.org\n", 7);
        let record = r#"{"number":0,"time":"2027-01-15T08:00:00.123456789Z","name":"ü"}"#;
        let mut frames = Vec::new();
        sender.frame("", record, &mut frames);
        let text = format!("<38>1 2027-01-15T08:00:00.123456Z vault-1.example.org keyturn 7 audit - \u{feff}{record}");
        assert_eq!(String::from_utf8(frames).unwrap(), format!("{} {text}", text.len()));
        assert_eq!(Sender::new("AUTH", "keyturn", "", 7).fields, "- keyturn 7 audit -");
    }

    proptest! {
        #[test]
        fn any_record_survives_framing(
            texts in proptest::collection::vec("\\PC{0,40}|[ \"\\\\\n\u{feff}<>\\[\\]0-9]{0,20}", 1..5),
            prefix in "[ -~]{0,9}",
            time in "2027-01-15T08:00:00\\.[0-9]{9}Z|\\PC{0,20}",
        ) {
            let records: Vec<String> =
                texts.iter().map(|text| serde_json::json!({"number": 1, "time": time, "text": text}).to_string()).collect();
            let sender = Sender::new("AUTH", "keyturn", "host", 1);
            let mut frames = Vec::new();
            records.iter().for_each(|record| sender.frame(&prefix, record, &mut frames));
            let mut rest = frames.as_slice();
            for record in &records {
                let (at, fields, message, behind) = unframe(rest);
                prop_assert_eq!(fields, ["host", "keyturn", "1", "audit", "-"]);
                prop_assert_eq!(message, format!("{}{}", prefix, record));
                let is_timestamp = at.len() == "2027-01-15T08:00:00.000000Z".len() && at.ends_with('Z');
                prop_assert!(at == "-" || (is_timestamp && time.starts_with(at.trim_end_matches('Z'))));
                rest = behind;
            }
            prop_assert!(rest.is_empty());
        }
    }
}
