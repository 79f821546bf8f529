//! `[traces]`: where traces of requests are sent; nowhere if it is left out.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::outside::http::checked;

/// Where traces of requests are sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceSettings {
    /// The address of a collector that takes OTLP over HTTP, in JSON.
    pub endpoint: String,
    /// Every so many requests one is traced.
    #[serde(default = "one_in_default")]
    pub one_in: u32,
    /// A file with the value of the header `Authorization`.
    #[serde(default)]
    pub authorization_file: Option<PathBuf>,
    /// Authorities in PEM that alone are trusted; those of the system if left out.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

const fn one_in_default() -> u32 {
    1
}

impl TraceSettings {
    /// Makes relative paths those below a folder.
    pub(super) fn join(&mut self, folder: &Path) {
        for path in [&mut self.authorization_file, &mut self.ca].into_iter().flatten() {
            *path = folder.join(&path);
        }
    }

    /// Checks what the form of the file does not.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.one_in == 0 {
            return Err(("one_in", "is 0: leave [traces] out to trace nothing".to_owned()));
        }
        checked(&self.endpoint).map(drop).map_err(|reason| ("endpoint", format!("cannot be used: {reason}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn mistakes_are_named() {
        let whole = |traces: &str| {
            let rest = "[listener.tls]\nself_signed_directory = \"t\"\n[storage]\nbackend = \"sqlite\"\npath = \"k\"\n[audit]\npath = \"a\"\n";
            Settings::parse(&format!("{rest}[traces]\n{traces}\n"), Path::new("/x"))
        };
        let good = whole("endpoint = \"http://127.0.0.1:4318/v1/traces\"\nca = \"ca.pem\"").unwrap().traces.unwrap();
        assert_eq!((good.one_in, good.ca.as_deref()), (1, Some(Path::new("/x/ca.pem"))));
        for (bad, part) in [
            ("", "endpoint"),
            ("endpoint = \"http://collector.example.org/v1/traces\"", "line 9: endpoint cannot be used"),
            ("endpoint = \"https://a:b@example.org\"", "a name or a password"),
            ("endpoint = \"https://example.org\"\none_in = 0", "line 10: one_in is 0"),
            ("endpoint = \"https://example.org\"\npaths = true", "unknown field"),
        ] {
            let reason = whole(bad).err().unwrap();
            assert!(reason.contains(part), "{bad}: {reason}");
        }
    }
}
