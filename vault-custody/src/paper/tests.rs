use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use vault_core::id::{Epoch, VaultFingerprint};
use vault_core::sharing::{Threshold, UnsealSecret, split};

use super::*;

fn shares(seed: u64) -> Vec<Share> {
    let mut rng = StdRng::seed_from_u64(seed);
    let secret = UnsealSecret::random(&mut rng);
    let threshold = Threshold::new(2, 3).unwrap();
    let (_, shares) = split(&secret, threshold, VaultFingerprint([0xab; 8]), Epoch(7), &mut rng).unwrap();
    shares
}

fn share(seed: u64) -> Share {
    shares(seed).remove(1)
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(seed: u64) -> Vec<String> {
    to_words(&share(seed)).iter().map(|line| line.expose().to_owned()).collect()
}

/// Shares cannot be printed, so that errors are told without them.
fn error(text: &str) -> Option<WordsError> {
    from_words(text).err()
}

#[test]
fn the_code_on_the_page_is_the_share() {
    let folder = tempfile::tempdir().unwrap();
    let share = share(1);
    for format in [PageFormat::Svg, PageFormat::Pdf] {
        let page = print(&share, "2026-11-25", format).unwrap();
        std::fs::write(folder.path().join("page"), page.expose()).unwrap();
        match format {
            PageFormat::Svg => {
                run("rsvg-convert", &["-d", "150", "-p", "150", "-o", "page.png", "page"], folder.path())
            }
            PageFormat::Pdf => run("pdftoppm", &["-r", "150", "-png", "-singlefile", "page", "page"], folder.path()),
        };
        let scanned = run("zbarimg", &["--quiet", "--raw", "page.png"], folder.path());
        assert_eq!(scanned.trim_end(), share.to_text().expose(), "{format:?}");
    }
}

#[test]
fn what_stands_on_the_page_can_be_typed_back() {
    let folder = tempfile::tempdir().unwrap();
    let share = share(2);
    std::fs::write(folder.path().join("page.pdf"), print(&share, "2026-11-25", PageFormat::Pdf).unwrap().expose())
        .unwrap();
    let page = run("pdftotext", &["-layout", "page.pdf", "-"], folder.path());
    for fact in ["abababababababab", "Epoch 7", "Share 2", "Printed 2026-11-25"] {
        assert!(page.contains(fact), "{fact}: {page}");
    }
    let lines: Vec<&str> = page.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let position = |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap();
    let text = lines[position("keyturn-share-1")..position("Words")].concat();
    assert_eq!(Share::parse(&text).unwrap().to_bytes().expose(), share.to_bytes().expose());
    let words = lines[position("1 ")..position("Back")].join("\n");
    assert_eq!(from_words(&words).ok().unwrap().to_bytes().expose(), share.to_bytes().expose());
}

#[test]
fn every_single_wrong_word_is_noticed_and_its_line_named() {
    let right = lines(3);
    let list = bip39::Language::English.word_list();
    for line in 0..LINES {
        for position in 0..6 {
            for wrong in list {
                let mut words: Vec<&str> = right[line].split(' ').collect();
                if words[position] == *wrong {
                    continue;
                }
                words[position] = wrong;
                let mut altered = right.clone();
                altered[line] = words.join(" ");
                let expected = WordsError::Line { line: line + 1, reason: WrongLine::Check };
                assert_eq!(error(&altered.join("\n")), Some(expected), "{position}: {wrong}");
            }
        }
    }
}

#[test]
fn words_and_lines_that_changed_places_are_noticed() {
    let right = lines(4);
    for line in 0..LINES - 1 {
        let mut altered = right.clone();
        altered.swap(line, line + 1);
        // Two lines that were the same could be swapped, but then nothing would be wrong.
        assert_eq!(error(&altered.join("\n")), Some(WordsError::Line { line: line + 1, reason: WrongLine::Check }));
    }
    let mut altered = right.clone();
    let mut words: Vec<&str> = right[5].split(' ').collect();
    words.swap(0, 4);
    altered[5] = words.join(" ");
    assert_eq!(error(&altered.join("\n")), Some(WordsError::Line { line: 6, reason: WrongLine::Check }));
}

#[test]
fn missing_and_foreign_words_are_named_by_their_place() {
    let right = lines(5);
    assert_eq!(error(""), Some(WordsError::Lines { found: 0 }));
    assert_eq!(error(&right[..11].join("\n")), Some(WordsError::Lines { found: 11 }));
    assert_eq!(error(&format!("{}\n{}", right.join("\n"), right[0])), Some(WordsError::Lines { found: 13 }));
    let mut altered = right.clone();
    altered[3] = altered[3].rsplit_once(' ').unwrap().0.to_owned();
    assert_eq!(error(&altered.join("\n")), Some(WordsError::Line { line: 4, reason: WrongLine::Count { found: 5 } }));
    altered[3] = format!("{} keyturn", altered[3]);
    let unknown = WrongLine::Unknown { position: 6 };
    assert_eq!(error(&altered.join("\n")), Some(WordsError::Line { line: 4, reason: unknown }));
    assert!(matches!(error(&"word ".repeat(2000)), Some(WordsError::TooLong { .. })));
    // Lines of two shares are each right in themselves.
    let mut mixed = right;
    mixed[8] = lines(6)[8].clone();
    assert!(matches!(error(&mixed.join("\n")), Some(WordsError::Share(_))));
}

#[test]
fn dates_that_cannot_be_shown_are_refused() {
    assert!(print(&share(1), "25. März", PageFormat::Pdf).is_err());
    assert!(print(&share(1), &"1".repeat(33), PageFormat::Svg).is_err());
}

proptest! {
    #[test]
    fn words_come_back_however_they_are_typed(seed in any::<u64>(), numbers in any::<bool>(), short in any::<bool>(), upper in any::<bool>()) {
        let mut text = String::new();
        for (position, line) in lines(seed).iter().enumerate() {
            if numbers {
                text.push_str(&format!("{}. ", position + 1));
            }
            for word in line.split(' ') {
                text.push_str(if short { &word[..word.len().min(4)] } else { word });
                text.push(' ');
            }
            text.push_str("\r\n\n");
        }
        let text = if upper { text.to_uppercase() } else { text };
        let read = from_words(&text).ok().map(|share| share.to_bytes().expose().to_vec());
        let written = share(seed).to_bytes().expose().to_vec();
        prop_assert!(read == Some(written));
    }

    #[test]
    fn no_words_panic(text in ".{0,200}", line in any::<usize>()) {
        let _ = from_words(&text);
        let _ = read_line(&text, line);
    }
}
