//! Where the server is, and how the path of a call becomes a URL there.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::error::ApiError;

/// Longest path of a call in bytes; the server refuses longer ones as well.
pub const PATH_LENGTH_BYTES_MAX: usize = 4096;

/// The address of a server: HTTPS anywhere, plain HTTP only on this very machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address(Url);

impl Address {
    /// Checks `text`, such as `https://vault.example.org:8200`.
    ///
    /// # Errors
    /// Answers [`ApiError::Address`] for anything but `https://…` and, on the loopback, `http://…`; user names, passwords,
    /// queries and fragments are refused as well.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let refuse = |reason: &str| ApiError::Address { address: without_credentials(text), reason: reason.to_owned() };
        let url = Url::parse(text.trim()).map_err(|error| refuse(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a user name or password; a token is given apart from the address"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it holds a query or fragment"));
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            "http" => Err(refuse("plain HTTP is only used on this machine (127.0.0.1); use https://")),
            _ => Err(refuse("it must begin with https://")),
        }
    }

    /// Tells whether calls go through TLS.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Gives the URL of `path` below `/v1/`, each segment percent-encoded.
    ///
    /// # Errors
    /// Answers [`ApiError::Path`] for a path with empty, `.` or `..` segments or control characters: it would arrive as another path.
    pub fn url_of(&self, path: &str) -> Result<Url, ApiError> {
        let refuse = |reason| ApiError::Path { path: path.to_owned(), reason };
        if path.len() > PATH_LENGTH_BYTES_MAX {
            return Err(refuse("it is too long"));
        }
        if path.chars().any(char::is_control) {
            return Err(refuse("it holds a control character"));
        }
        let body = path.strip_suffix('/').unwrap_or(path);
        if body.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(refuse("it has an empty, '.' or '..' segment"));
        }
        let mut url = self.0.clone();
        url.path_segments_mut()
            .map_err(|()| refuse("the address takes no path"))?
            .pop_if_empty()
            .push("v1")
            .extend(path.split('/'));
        Ok(url)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Cuts what may be a password out of an address that is quoted in an error.
fn without_credentials(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        (None, Some((_, host))) => format!("…@{host}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_the_loopback_only() {
        for good in ["https://vault.example.org", "http://127.0.0.1:8200", "http://localhost:1", "http://[::1]:8200"] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://vault.example.org",
            "http://127.0.0.1.example.org",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "",
            "vault",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_about_an_address_does_not_quote_its_password() {
        let error = Address::parse("https://me:hunter2@vault.example.org").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn segments_are_encoded_and_stay_segments() {
        let address = Address::parse("https://vault.example.org/below/").unwrap();
        let url = address.url_of("secret/data/a b?c#d%2e").unwrap();
        assert_eq!(url.as_str(), "https://vault.example.org/below/v1/secret/data/a%20b%3Fc%23d%252e");
        assert!(address.url_of("secret/metadata/").unwrap().as_str().ends_with("/v1/secret/metadata/"));
    }

    #[test]
    fn a_path_that_would_arrive_as_another_is_refused() {
        let address = Address::parse("https://vault.example.org").unwrap();
        for path in ["", "/", "a//b", "a/../b", "..", "a/./b", "/a", "a\nb", &"a".repeat(PATH_LENGTH_BYTES_MAX + 1)] {
            assert!(matches!(address.url_of(path), Err(ApiError::Path { .. })), "{path:?}");
        }
    }
}
