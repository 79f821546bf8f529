//! `keyturn login --method=oidc`: the browser logs in at the identity provider, which sends it back to this machine with
//! a code (RFC 8252).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rand::Rng;
use serde_json::{Map, Value, json};
use vault_api::{Call, Client, Operation, Reply};

use super::{Arguments, endpoint};
use crate::failure::Failure;

/// The port that stock clients use and identity providers know.
pub(super) const PORT: u16 = 8250;

/// Longest wait for a person to log in.
const WAIT_MAX: Duration = Duration::from_secs(180);

/// How often the wait looks whether the browser has come.
const LOOK: Duration = Duration::from_millis(100);

/// Longest request line of the browser.
const LINE_BYTES_MAX: u64 = 16 << 10;

const PAGE: &str = "You are logged in, as far as this page knows. Close it and look at the terminal.";

/// Logs in through a browser.
pub(super) async fn login(
    client: &Client,
    arguments: &Arguments,
    fields: Map<String, Value>,
) -> Result<Reply, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", arguments.callback_port))?;
    let port = listener.local_addr()?.port();
    let mut drawn = [0; 20];
    rand::rng().fill_bytes(&mut drawn);
    let client_nonce = HEXLOWER.encode(&drawn);
    let role = fields.get("role").and_then(Value::as_str).unwrap_or_default();
    let asked = json!({
        "role": role,
        "redirect_uri": format!("http://localhost:{port}/oidc/callback"),
        "client_nonce": client_nonce,
    });
    let reply = client.write(&endpoint(arguments, "oidc/auth_url"), &asked).await?;
    let data: Map<String, Value> = reply.data()?;
    let address = data.get("auth_url").and_then(Value::as_str).filter(|address| !address.is_empty());
    let address = address.ok_or_else(|| {
        Failure::usage("the server gives no address: the role may be unknown, or this redirect address not allowed")
    })?;
    eprintln!("Log in at your identity provider; this command waits {} seconds:\n  {address}", WAIT_MAX.as_secs());
    if !arguments.no_browser {
        // A machine without a browser shows the address, which is enough.
        let _ = std::process::Command::new("xdg-open").arg(address).spawn();
    }
    let waiting = tokio::task::spawn_blocking(move || wait(&listener));
    let (code, state) = waiting.await.map_err(anyhow::Error::from)??;
    let call = Call::new(Operation::Read, endpoint(arguments, "oidc/callback"))
        .parameter("code", code)
        .parameter("state", state)
        .parameter("client_nonce", client_nonce);
    Ok(client.call(call).await?.into_result()?)
}

/// Waits until the browser comes with a code and a state.
fn wait(listener: &TcpListener) -> Result<(String, String), Failure> {
    listener.set_nonblocking(true)?;
    let end = Instant::now() + WAIT_MAX;
    while Instant::now() < end {
        match listener.accept() {
            Ok((stream, _)) => {
                if let Some(found) = read(stream)? {
                    return Ok(found);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::sleep(LOOK),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::usage("nobody logged in in time; start again when you are ready"))
}

/// Reads one request of the browser and answers it; `None` if it is about something else, such as an icon.
fn read(stream: TcpStream) -> Result<Option<(String, String)>, Failure> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut line = String::new();
    // A browser that says nothing is no login.
    if BufReader::new((&stream).take(LINE_BYTES_MAX)).read_line(&mut line).is_err() {
        return Ok(None);
    }
    let found = parse(&line);
    let (status, text) = match &found {
        Ok(Some(_)) => ("200 OK", PAGE),
        Ok(None) => ("404 Not Found", "Nothing is here."),
        Err(_) => ("400 Bad Request", "The identity provider refused; look at the terminal."),
    };
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    );
    // A browser that has gone away has said what it had to say.
    let _ = (&stream).write_all(answer.as_bytes());
    found
}

/// Takes code and state out of a request line: `GET /oidc/callback?code=…&state=… HTTP/1.1`.
fn parse(line: &str) -> Result<Option<(String, String)>, Failure> {
    let mut words = line.split(' ');
    let (Some("GET"), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let Some(query) = target.strip_prefix("/oidc/callback?") else { return Ok(None) };
    let value = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(own, _)| *own == name)
            .map(|(_, value)| decode(value))
    };
    if let Some(error) = value("error") {
        let printable: String = error.chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(Failure::usage(format!("the identity provider refused: {printable}")));
    }
    Ok(value("code").zip(value("state")))
}

/// Decodes percent signs; what is none stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.get(1..3).filter(|_| first == '%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let taken = match digits {
            Some(byte) => {
                bytes.push(byte);
                3
            }
            None => {
                bytes.extend(if first == '+' { " " } else { rest.get(..first.len_utf8()).unwrap_or_default() }.bytes());
                first.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<(String, String)> {
        parse(line).ok().flatten()
    }

    #[test]
    fn code_and_state_are_found_and_refusals_told() {
        let line = "GET /oidc/callback?state=st_%2F1&code=a+b HTTP/1.1\r\n";
        assert_eq!(parsed(line), Some(("a b".to_owned(), "st_/1".to_owned())));
        for other in [
            "",
            "GET /favicon.ico HTTP/1.1",
            "POST /oidc/callback?code=a&state=b HTTP/1.1",
            "GET /oidc/callback?code=a",
        ] {
            assert_eq!(parsed(other), None, "{other}");
        }
        let Err(Failure::Usage(text)) = parse("GET /oidc/callback?error=access_denied HTTP/1.1") else {
            panic!("passed")
        };
        assert!(text.contains("access_denied"), "{text}");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("é%C3%A9"), "éé");
    }
}
