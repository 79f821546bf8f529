//! What stands where on the page of a share. Lengths are in points (1/72 inch), from the upper left corner.

use vault_core::secret::SecretText;
use vault_core::sharing::Share;
use zeroize::Zeroizing;

use super::words;

/// Width and height of A4.
pub(super) const WIDTH: f32 = 595.0;
pub(super) const HEIGHT: f32 = 842.0;

const LEFT: f32 = 56.0;
const CODE_SIZE: f32 = 200.0;
const CODE_TOP: f32 = 140.0;
/// White around the code, in modules, without which scanners do not find it.
const QUIET_MODULES: f32 = 4.0;
/// How many groups of five stand in a line.
const GROUPS_IN_LINE: usize = 7;
/// `keyturn-share-1` stands in a line of its own.
const PREFIX_GROUPS: usize = 3;

/// A laid out page; it wipes itself.
pub(super) struct Page {
    pub(super) texts: Vec<Text>,
    pub(super) bars: Vec<Bar>,
}

pub(super) struct Text {
    pub(super) left: f32,
    /// Where the letters stand.
    pub(super) baseline: f32,
    pub(super) size: f32,
    pub(super) font: Font,
    pub(super) text: Zeroizing<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Font {
    Plain,
    Bold,
    Fixed,
}

/// A black rectangle: dark modules of the code side by side.
pub(super) struct Bar {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Drop for Page {
    fn drop(&mut self) {
        for bar in &mut self.bars {
            (bar.left, bar.top, bar.width) = (0.0, 0.0, 0.0);
        }
    }
}

/// The modules of the code, row by row.
pub(super) struct Code<'a> {
    pub(super) modules: &'a [bool],
    pub(super) width: usize,
}

pub(super) fn compose(share: &Share, text: &SecretText, date: &str, code: &Code<'_>) -> Page {
    let mut page = Page { texts: Vec::new(), bars: bars(code) };
    page.put(LEFT, 70.0, 22.0, Font::Bold, "Keyturn share");
    let facts = format!("Vault {}    Epoch {}    Share {}", share.vault(), share.epoch(), share.index());
    page.put(LEFT, 94.0, 12.0, Font::Fixed, &facts);
    page.put(LEFT, 112.0, 12.0, Font::Fixed, &format!("Printed {date}"));
    let beside = LEFT + CODE_SIZE + 16.0;
    for (position, line) in ADVICE.iter().enumerate() {
        page.put(beside, CODE_TOP + 24.0 + 15.0 * index(position), 10.5, Font::Plain, line);
    }
    page.put(LEFT, 372.0, 13.0, Font::Bold, "Text");
    page.put(LEFT, 387.0, 9.5, Font::Plain, "Dashes, spaces, line breaks and case do not matter.");
    for (position, line) in text_lines(text.expose()).iter().enumerate() {
        page.put(LEFT, 408.0 + 18.0 * index(position), 13.0, Font::Fixed, line);
    }
    page.put(LEFT, 522.0, 13.0, Font::Bold, "Words");
    let note =
        "To be typed, or copied by hand. The sixth word checks its line; the first four letters of a word are enough.";
    page.put(LEFT, 537.0, 9.5, Font::Plain, note);
    for (position, words) in words::to_words(share).iter().enumerate() {
        let line = Zeroizing::new(format!("{:>2}  {}", position + 1, words.expose()));
        page.put(LEFT, 559.0 + 19.0 * index(position), 12.0, Font::Fixed, &line);
    }
    page.put(LEFT, 806.0, 9.5, Font::Plain, "Back into a file: keyturn share read --text (or --words) --out FILE");
    page
}

const ADVICE: [&str; 9] = [
    "This page is one custodian's share of a vault.",
    "Whoever has enough such shares opens the vault.",
    "",
    "Keep it where only you can reach it, and not",
    "beside another share of the same vault.",
    "",
    "The code, the text and the words below are the",
    "same share: any one of them is enough. Destroy",
    "this page when the shares have been renewed.",
];

impl Page {
    fn put(&mut self, left: f32, baseline: f32, size: f32, font: Font, text: &str) {
        let text = Zeroizing::new(text.to_owned());
        self.texts.push(Text { left, baseline, size, font, text });
    }
}

/// Breaks the text after some groups; the dash stays at the end of the line.
fn text_lines(text: &str) -> Vec<Zeroizing<String>> {
    let mut lines = vec![Zeroizing::new(String::with_capacity(text.len()))];
    for (groups, piece) in text.split_inclusive('-').enumerate() {
        if groups == PREFIX_GROUPS || groups > PREFIX_GROUPS && (groups - PREFIX_GROUPS).is_multiple_of(GROUPS_IN_LINE)
        {
            lines.push(Zeroizing::new(String::with_capacity(text.len())));
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(piece);
        }
    }
    lines
}

/// Joins dark modules of a row, so that no hair lines are drawn between them.
fn bars(code: &Code<'_>) -> Vec<Bar> {
    let module = CODE_SIZE / (index(code.width) + 2.0 * QUIET_MODULES);
    let mut bars = Vec::new();
    for (row, modules) in code.modules.chunks(code.width.max(1)).enumerate() {
        let mut column = 0;
        for run in modules.chunk_by(|one, next| one == next) {
            if run.first() == Some(&true) {
                bars.push(Bar {
                    left: LEFT + module * (QUIET_MODULES + index(column)),
                    top: CODE_TOP + module * (QUIET_MODULES + index(row)),
                    width: module * index(run.len()),
                    height: module,
                });
            }
            column += run.len();
        }
    }
    bars
}

/// Turns a small count into a length.
fn index(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}
