//! Fills in what makes a draft the next charter: its epoch and the digest of the one before.

use std::ops::Range;

use super::document::{Document, Table};
use super::{CHARTER_LENGTH_BYTES_MAX, Charter, CharterError, Position, Problem, read};

/// Writes the draft as the charter after `old`, or as the first one; all else stays as it was written.
///
/// # Errors
/// Answers [`CharterError`] for a draft that makes no charter, with places in the text as it was filled in.
pub fn propose(draft: &str, old: Option<&Charter>) -> Result<Charter, CharterError> {
    if draft.len() > CHARTER_LENGTH_BYTES_MAX {
        let problem = Problem::TooLong { length_bytes: draft.len() };
        return Err(CharterError { position: Position { line: 1, column: 1 }, problem });
    }
    let epoch = old.map_or(Some(1), |old| old.epoch().checked_add(1));
    let epoch = epoch.ok_or_else(|| Document(draft).error(0, Problem::Epoch))?;
    let with_epoch = set(draft, "epoch", Some(&epoch.to_string()), "format")?;
    let previous = old.map(|old| format!("\"{}\"", old.digest()));
    let text = set(&with_epoch, "previous", previous.as_deref(), "epoch")?;
    Charter::parse(text.as_bytes())
}

/// Sets a field of the top table, after the line of another if it is not there; without a value, its line is left out.
fn set(text: &str, field: &'static str, value: Option<&str>, after: &'static str) -> Result<String, CharterError> {
    let document = Document(text);
    let parsed = document.parse()?;
    let top = Table { document, table: parsed.get_ref(), name: "the charter", offset: 0 };
    read::format(&top)?;
    let line_end = |offset: usize| {
        text.get(offset..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| offset + newline)
    };
    match (top.get(field), value) {
        (None, None) => Ok(text.to_owned()),
        (Some(old), Some(new)) => Ok(replaced(text, old.value.span(), new)),
        (None, Some(new)) => {
            let end = line_end(top.required(after)?.value.span().end);
            Ok(replaced(text, end..end, &format!("\n{field} = {new}")))
        }
        (Some(old), None) => {
            let span = old.value.span();
            let start = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
            Ok(replaced(text, start..(line_end(span.end) + 1).min(text.len()), ""))
        }
    }
}

fn replaced(text: &str, span: Range<usize>, new: &str) -> String {
    let before = text.get(..span.start).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    [before, new, after].concat()
}
