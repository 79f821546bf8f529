//! Texts that somebody else wrote, shown so that they cannot pass for anything else.

use std::fmt::Write;

/// Writes a text on one line, with every character escaped that is not printable ASCII: nobody is taken in by letters that
/// look like others, by text that runs backwards, or by colours.
pub(crate) fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => shown.push(c),
            '\t' => shown.push_str("\\t"),
            '\n' => shown.push_str("\\n"),
            _ => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    shown
}

/// Sets a text of several lines apart with a bar; letters of all scripts stay, and everything that moves the cursor, turns
/// the writing direction or is not seen is escaped.
pub(crate) fn block(text: &str) -> String {
    let line = |line: &str| {
        let shown: String =
            line.chars().map(|c| if is_plain(c) { c.to_string() } else { one_line(&c.to_string()) }).collect();
        format!("  | {shown}")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Says which characters of a text can be taken for others; nothing for plain English.
pub(crate) fn caution(text: &str) -> Option<String> {
    let mut odd: Vec<char> = text.chars().filter(|c| !matches!(c, ' '..='~' | '\n')).collect();
    odd.sort_unstable();
    odd.dedup();
    let named: Vec<String> = odd.iter().take(8).map(|c| format!("U+{:04X}", u32::from(*c))).collect();
    let more = if odd.len() > named.len() { " and more" } else { "" };
    (!odd.is_empty()).then(|| format!("it holds characters that can be taken for others: {}{more}", named.join(", ")))
}

/// Names the words of a text that mix letters which look alike: of the Latin alphabet and of another.
pub(crate) fn mixed_words(text: &str) -> Option<String> {
    let looks_latin = |c: char| matches!(c, '\u{370}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}' | '\u{2100}'..='\u{214f}' | '\u{ff00}'..='\u{ffef}' | '\u{1d400}'..='\u{1d7ff}');
    let mixes = |word: &&str| word.chars().any(|c| c.is_ascii_alphabetic()) && word.chars().any(looks_latin);
    let words: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).filter(mixes).take(4).map(one_line).collect();
    (!words.is_empty()).then(|| format!("some words mix alphabets: {}", words.join(", ")))
}

fn is_plain(c: char) -> bool {
    let turns_or_hides = matches!(c,
        '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{2028}' | '\u{2029}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}' |
        '\u{34f}' | '\u{fe00}'..='\u{fe0f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{00ad}' | '\u{061c}'
    );
    !c.is_control() && !turns_or_hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_what_it_seems_is_told() {
        assert_eq!(one_line("secret/d\u{430}ta"), "secret/d\\u{430}ta");
        assert_eq!(one_line("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
        assert_eq!(block("Grüße\nyes? \u{202e}on\u{1b}[1A"), "  | Grüße\n  | yes? \\u{202e}on\\u{1b}[1A");
        assert_eq!(block("a\u{3164}\u{e0041}\u{2028}b"), "  | a\\u{3164}\\u{e0041}\\u{2028}b");
        assert_eq!(caution("plain: a-z, {}"), None);
        assert_eq!(mixed_words("Grüße, Привет, hello"), None);
        assert_eq!(mixed_words("the p\u{430}ssword").unwrap(), "some words mix alphabets: p\\u{430}ssword");
        assert_eq!(caution("p\u{430}yp\u{430}l").unwrap(), "it holds characters that can be taken for others: U+0430");
    }
}
