//! `keyturn audit tail` and `search`: records of a log file, a line each.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;
use crate::untrusted::one_line;

/// How often a log is looked at for new records.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct Tail {
    /// The log: a file as the server writes it, or a copy by a device
    #[arg(long, value_name = "FILE", required = true)]
    log: PathBuf,
    /// How many records
    #[arg(short = 'n', long, default_value_t = 10)]
    records: usize,
    /// Go on with those that come
    #[arg(short, long)]
    follow: bool,
}

#[derive(Args)]
pub(crate) struct Search {
    /// The log: a file as the server writes it, or a copy by a device
    #[arg(long, value_name = "FILE", required = true)]
    log: PathBuf,
    /// The path, or what it begins with if it ends in *
    #[arg(long)]
    path: Option<String>,
    /// A person of the charter, the name of an entity, or what a token is called
    #[arg(long)]
    person: Option<String>,
    /// A request: its id, or that of one that waits for people
    #[arg(long)]
    request: Option<String>,
    /// From when on, as 2026-11-25T10:00:00Z or 2026-11-25
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until when
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

pub(super) async fn tail(arguments: &Tail, global: &Global) -> Result<(), Failure> {
    let mut lines = Lines::open(&arguments.log)?;
    let mut last = VecDeque::new();
    while let Some(line) = lines.next()? {
        last.push_back(line);
        if last.len() > arguments.records {
            last.pop_front();
        }
    }
    last.iter().try_for_each(|line| print(line, global))?;
    if !arguments.follow {
        return Ok(());
    }
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        while let Some(line) = lines.next()? {
            print(&line, global)?;
        }
    }
}

pub(super) fn search(arguments: &Search, global: &Global) -> Result<(), Failure> {
    let (since, until) = (time(arguments.since.as_deref())?, time(arguments.until.as_deref())?);
    let mut lines = Lines::open(&arguments.log)?;
    let mut found = 0_u64;
    while let Some(line) = lines.next()? {
        let record: Value =
            serde_json::from_str(&line).with_context(|| format!("{} is no log of a vault", arguments.log.display()))?;
        if arguments.fits(&record) && is_within(&record, since, until) {
            found += 1;
            print(&line, global)?;
        }
    }
    if found == 0 {
        return Err(Failure::refused(format!("{} holds no such record", arguments.log.display())));
    }
    Ok(())
}

impl Search {
    fn fits(&self, record: &Value) -> bool {
        let is_path = self.path.as_deref().is_none_or(|wanted| {
            let path = text(record, "path").unwrap_or_default();
            wanted.strip_suffix('*').map_or(path == wanted, |start| path.starts_with(start))
        });
        let is_person = self.person.as_deref().is_none_or(|person| names(record).any(|name| name == person));
        let is_request = self.request.as_deref().is_none_or(|request| {
            let ids = [text(record, "id"), text(record, "redeems"), text(record, "held_request")];
            let granted = record.get("grant").and_then(|grant| text(grant, "request"));
            ids.into_iter().chain([granted]).flatten().any(|id| id == request)
        });
        is_path && is_person && is_request
    }
}

/// Lists everybody whom a record names.
fn names(record: &Value) -> impl Iterator<Item = &str> {
    let who = record.get("who");
    let of_who = ["entity_name", "display_name", "person"].into_iter().filter_map(move |name| text(who?, name));
    let stewards = who.and_then(|who| who.get("stewards")).and_then(Value::as_array).into_iter().flatten();
    let votes = record.get("grant").and_then(|grant| grant.get("votes")).and_then(Value::as_array);
    let of_votes = votes.into_iter().flatten();
    let of_votes = of_votes.flat_map(|vote| [text(vote, "person"), text(vote, "name")]).flatten();
    let custodian = text(record, "custodian");
    of_who.chain(stewards.filter_map(Value::as_str)).chain(of_votes).chain(custodian)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// Reads a time of UTC, to any length from the day on. Records write theirs in the same way, so that the texts compare as the
/// times do.
fn time(text: Option<&str>) -> Result<Option<&str>, Failure> {
    const SHAPE: &str = "dddd-dd-ddTdd:dd:dd.ddddddddd";
    let Some(text) = text else { return Ok(None) };
    let time = text.strip_suffix('Z').unwrap_or(text);
    let fits = |(c, shape): (char, char)| if shape == 'd' { c.is_ascii_digit() } else { c == shape };
    let is_time =
        time.len() >= "dddd-dd-dd".len() && time.len() <= SHAPE.len() && time.chars().zip(SHAPE.chars()).all(fits);
    let no_time = || Failure::usage(format!("{text:?} is no time: write 2026-11-25T10:00:00Z or 2026-11-25, of UTC"));
    is_time.then_some(Some(time)).ok_or_else(no_time)
}

fn is_within(record: &Value, since: Option<&str>, until: Option<&str>) -> bool {
    let at = text(record, "time").map(|at| at.strip_suffix('Z').unwrap_or(at));
    let is_after = since.is_none_or(|since| at.is_some_and(|at| at >= since));
    is_after && until.is_none_or(|until| at.is_some_and(|at| at < until))
}

fn print(line: &str, global: &Global) -> Result<(), Failure> {
    if global.format == Format::Json {
        return output::line(line);
    }
    let Ok(record) = serde_json::from_str::<Value>(line) else { return output::line(&one_line(line)) };
    let part = |name: &str| text(&record, name).map(one_line);
    let number = record.get("number").and_then(Value::as_u64).unwrap_or_default();
    let mut parts = vec![part("time").unwrap_or_default(), format!("{number:>7}"), part("kind").unwrap_or_default()];
    parts.extend(["decision", "outcome", "event", "what", "operation", "path"].into_iter().filter_map(part));
    parts.extend(names(&record).next().map(|name| format!("by {}", one_line(name))));
    parts.extend(part("remote").map(|remote| format!("from {remote}")));
    parts.extend(part("reason").map(|reason| format!("({reason})")));
    output::line(&parts.join("  "))
}

/// Whole lines of a file that may grow.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    at: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), reader: BufReader::new(file), at: 0 })
    }

    /// Gives the next line; none while there is no whole one.
    fn next(&mut self) -> Result<Option<String>, Failure> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).with_context(|| self.path.display().to_string())?;
        if line.pop() == Some('\n') {
            self.at += read as u64;
            return Ok(Some(line));
        }
        // A line that is being written is read again as a whole.
        self.reader.seek(SeekFrom::Start(self.at))?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_of_any_length_compare_as_times_do() {
        let record = json!({"time": "2026-11-25T10:00:00.500000000Z"});
        let within = |since: &str, until: &str| {
            is_within(&record, time(Some(since)).ok().unwrap(), time(Some(until)).ok().unwrap())
        };
        assert!(within("2026-11-25", "2026-11-26") && within("2026-11-25T10:00:00Z", "2026-11-25T10:00:01Z"));
        assert!(within("2026-11-25T10:00:00.5Z", "2026-11-25T10:01Z"));
        assert!(!within("2026-11-26", "2026-11-27") && !within("2026-11-25T10:00:01Z", "2026-11-26"));
        assert!(!within("2026-11-25", "2026-11-25T10:00:00.5Z"), "the end is not within");
        for bad in ["", "yesterday", "2026-11", "2026-11-25 10:00", "2026-11-25T10:00:00+01:00", "25.11.2026..."] {
            assert!(time(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn records_are_found_by_everything_that_they_say() {
        let record = json!({"path": "secret/data/prod/db", "id": "r1", "who": {"entity_name": "ann"},
            "grant": {"request": "q1", "votes": [{"person": "ben", "name": "b"}]}});
        let ask = |path: Option<&str>, person: Option<&str>, request: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            let search = Search {
                log: PathBuf::new(),
                path: own(path),
                person: own(person),
                request: own(request),
                since: None,
                until: None,
            };
            search.fits(&record)
        };
        assert!(ask(Some("secret/data/prod/*"), Some("ben"), Some("q1")) && ask(None, Some("ann"), Some("r1")));
        for (path, person, request) in
            [(Some("secret/data/prod"), None, None), (None, Some("cat"), None), (None, None, Some("q2"))]
        {
            assert!(!ask(path, person, request));
        }
    }
}
