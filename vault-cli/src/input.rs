//! Where secrets come from: asked for without echo, read from standard input or from a file; never from arguments,
//! which every process of the machine can see.

use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;

use vault_api::SecretText;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Largest secret that is read.
const SECRET_BYTES_MAX: u64 = 1 << 20;

/// Reads a secret: from `file` (`-` is standard input), else asked for on the terminal, else from standard input.
pub(crate) fn secret(prompt: &str, file: Option<&Path>) -> Result<SecretText, Failure> {
    let text = match file {
        Some(file) if file != Path::new("-") => read(std::fs::File::open(file)?)?,
        None if std::io::stdin().is_terminal() => Zeroizing::new(rpassword::prompt_password(format!("{prompt}: "))?),
        _ => read(std::io::stdin().lock())?,
    };
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(Failure::usage(format!("nothing was given for: {prompt}")));
    }
    Ok(SecretText::new(text.to_owned()))
}

/// Reads one line of standard input, so that several secrets can follow each other there.
pub(crate) fn secret_line(prompt: &str) -> Result<SecretText, Failure> {
    if std::io::stdin().is_terminal() {
        return secret(prompt, None);
    }
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().read_line(&mut line)?;
    let text = line.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(Failure::usage(format!("nothing was given for: {prompt}")));
    }
    Ok(SecretText::new(text.to_owned()))
}

/// Tells whether somebody sits there who can be asked.
pub(crate) fn is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// Asks for a line that is no secret; nothing comes from the end of the input.
pub(crate) fn line(prompt: &str) -> Option<String> {
    eprint!("{prompt}: ");
    let mut line = String::new();
    std::io::stdin().lock().take(SECRET_BYTES_MAX).read_line(&mut line).ok().filter(|length| *length > 0)?;
    Some(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn read(source: impl Read) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    source.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(Failure::usage(format!("a secret has at most {SECRET_BYTES_MAX} bytes")));
    }
    Ok(text)
}
