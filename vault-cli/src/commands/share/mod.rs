//! `keyturn share`: a custodian's share on paper, and back.

mod possession;

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use vault_core::sharing::Share;
use vault_core::time::Timestamp;
use vault_custody::files::{self, FileError};
use vault_custody::paper::{self, PageFormat};
use zeroize::Zeroizing;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::{input, output};

/// Largest input that is read; the longest form of a share has less than a kilobyte.
const INPUT_BYTES_MAX: u64 = 64 << 10;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a page to print, with a QR code, the text and the words of the share
    Print(Print),
    /// Show the words of the share, to be copied by hand
    Words(Words),
    /// Bring a typed share back into a file
    Read(ReadArguments),
    /// Show to the vault that your share is at hand; nothing of it leaves this machine
    Check(possession::Check),
    /// Show to the vault that your new share is at hand, after a rekey
    Acknowledge(possession::Acknowledge),
}

#[derive(Args)]
pub(crate) struct Print {
    /// Read the share from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    share_file: Option<PathBuf>,
    /// The page to write, named .svg or .pdf; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
pub(crate) struct Words {
    /// Read the share from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    share_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ReadArguments {
    /// Its words are typed, line by line
    #[arg(long, conflicts_with = "text")]
    words: bool,
    /// Its text is typed (this is the default)
    #[arg(long)]
    text: bool,
    /// The file to write the share to; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Print(arguments) => print(&arguments, global),
        Command::Words(arguments) => words(&arguments, global),
        Command::Read(arguments) => read(&arguments, global),
        Command::Check(arguments) => possession::check(&arguments, global).await,
        Command::Acknowledge(arguments) => possession::acknowledge(&arguments, global).await,
    }
}

fn print(arguments: &Print, global: &Global) -> Result<(), Failure> {
    let format = PageFormat::of_file(&arguments.out)
        .ok_or_else(|| Failure::usage("the page's name must end with .svg or .pdf"))?;
    must_be_new(&arguments.out)?;
    let share = share_of_file(arguments.share_file.as_deref())?;
    let page = paper::print(&share, &today()?, format).map_err(anyhow::Error::from)?;
    files::write_new(&arguments.out, page.expose()).map_err(anyhow::Error::from)?;
    done(
        &share,
        &arguments.out,
        global,
        "Print it, then delete it: the page is the share, as is what a printer keeps of it.",
    )
}

fn words(arguments: &Words, global: &Global) -> Result<(), Failure> {
    let lines = paper::to_words(&share_of_file(arguments.share_file.as_deref())?);
    if global.format == Format::Json {
        let texts: Vec<&str> = lines.iter().map(|line| line.expose()).collect();
        return output::line(&Zeroizing::new(json!({ "lines": texts }).to_string()));
    }
    for (position, line) in lines.iter().enumerate() {
        output::line(&Zeroizing::new(format!("{:>2}  {}", position + 1, line.expose())))?;
    }
    Ok(())
}

fn read(arguments: &ReadArguments, global: &Global) -> Result<(), Failure> {
    must_be_new(&arguments.out)?;
    let terminal = std::io::stdin().is_terminal();
    let typed = match (terminal, arguments.words) {
        (false, _) => everything()?,
        (true, true) => typed_words()?,
        (true, false) => typed_text()?,
    };
    let share = if arguments.words {
        paper::from_words(&typed).map_err(anyhow::Error::from)?
    } else {
        Share::parse(typed.trim()).map_err(anyhow::Error::from)?
    };
    let text = Zeroizing::new(format!("{}\n", share.to_text().expose()));
    files::write_new(&arguments.out, text.as_bytes()).map_err(anyhow::Error::from)?;
    done(&share, &arguments.out, global, "Next: keyturn unseal --share-file FILE")
}

fn done(share: &Share, file: &Path, global: &Global, next: &str) -> Result<(), Failure> {
    let (vault, epoch, index, file) = (share.vault(), share.epoch(), share.index(), file.display());
    if global.format == Format::Json {
        let fields = json!({
            "vault": vault.to_string(), "epoch": epoch.0, "share": index.get(), "file": file.to_string(),
        });
        return output::line(&fields.to_string());
    }
    output::line(&format!("Share {index} of vault {vault}, epoch {epoch}, is in {file}.\n{next}"))
}

fn share_of_file(file: Option<&Path>) -> Result<Share, Failure> {
    let text = input::secret("your share", file)?;
    Ok(Share::parse(text.expose()).map_err(anyhow::Error::from)?)
}

/// Told before anything is typed; writing checks again.
fn must_be_new(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Err(anyhow::Error::from(FileError::Exists { path: path.to_owned() }).into());
    }
    Ok(())
}

fn today() -> Result<String, Failure> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    let nanoseconds = i64::try_from(since.as_nanos()).context("the clock is far beyond today")?;
    Ok(Timestamp(nanoseconds).to_string().chars().take(10).collect())
}

fn everything() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > INPUT_BYTES_MAX {
        return Err(Failure::usage(format!("a share has far less than {INPUT_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// Asks line by line, each until it is right.
fn typed_words() -> Result<Zeroizing<String>, Failure> {
    eprintln!("Type the words line by line; they are shown as you type. The first four letters of a word are enough.");
    let mut text = Zeroizing::new(String::with_capacity(paper::WORDS_LENGTH_BYTES_MAX));
    let mut line = 1;
    while line <= paper::LINES {
        let typed = typed_line(&format!("line {line} of {}: ", paper::LINES))?
            .ok_or_else(|| Failure::usage(format!("the input ended before line {line}")))?;
        match paper::read_line(&typed, line) {
            Ok(_) => {
                text.push_str(&typed);
                text.push('\n');
                line += 1;
            }
            Err(reason) => eprintln!("Line {line} is wrong: {reason}. Once more."),
        }
    }
    Ok(text)
}

/// Takes lines until an empty one.
fn typed_text() -> Result<Zeroizing<String>, Failure> {
    eprintln!("Type the text of the share; it is shown as you type. An empty line ends it.");
    let mut text = Zeroizing::new(String::with_capacity(2048));
    while let Some(line) = typed_line("> ")?.filter(|line| !line.trim().is_empty()) {
        text.push_str(&line);
        if text.len() as u64 > INPUT_BYTES_MAX {
            return Err(Failure::usage(format!("a share has far less than {INPUT_BYTES_MAX} bytes")));
        }
    }
    Ok(text)
}

fn typed_line(prompt: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    let mut line = Zeroizing::new(String::with_capacity(256));
    let length = std::io::stdin().lock().take(INPUT_BYTES_MAX).read_line(&mut line)?;
    Ok((length > 0).then_some(line))
}
