use proptest::prelude::*;
use vault_core::audit::Target;

use super::*;

const LIMITS: BatchLimits = BatchLimits { records_max: 3, bytes_max: 100 };

fn line(number: u64, fill: usize) -> String {
    format!("{{\"number\":{number},\"x\":\"{}\"}}\n", "y".repeat(fill))
}

fn position(number: u64, offset_bytes: usize) -> LogPosition {
    LogPosition { number, offset_bytes: offset_bytes as u64 }
}

fn log(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn device(since: Option<LogPosition>) -> Device {
    Device {
        path: "siem/".to_owned(),
        description: String::new(),
        options: std::collections::BTreeMap::new(),
        target: Target::File { path: "a".to_owned() },
        prefix: String::new(),
        since,
    }
}

/// Reads everything batch by batch.
fn read_all(path: &Path, start: LogPosition, end: LogPosition) -> Vec<String> {
    let mut batches = Vec::new();
    let mut at = start;
    while at != end {
        let batch = read(path, at, end, LIMITS, "").unwrap();
        assert_eq!(batch.start, at);
        at = batch.end;
        batches.push(batch.lines);
    }
    batches
}

#[test]
fn nothing_behind_the_durable_end_is_read() {
    let durable = line(0, 3) + &line(1, 3);
    let (_directory, path) = log(&(durable.clone() + &line(2, 3) + "{\"number\":3,"));
    let batch = read(&path, LogPosition::default(), position(2, durable.len()), LIMITS, "> ").unwrap();
    assert_eq!(batch.lines, durable);
    assert_eq!((batch.end, batch.last()), (position(2, durable.len()), 1));
    assert_eq!(batch.text(), durable.lines().map(|line| format!("> {line}\n")).collect::<String>());
}

#[test]
fn a_line_longer_than_a_batch_is_one_of_its_own() {
    let lines: Vec<String> = [(0, 10), (1, 10), (2, 150), (3, 10), (4, 1_000), (5, 1), (6, 1), (7, 1), (8, 1)]
        .map(|(number, fill)| line(number, fill))
        .to_vec();
    let (_directory, path) = log(&lines.concat());
    let batches = read_all(&path, LogPosition::default(), position(9, lines.concat().len()));
    let expected = [&lines[..2], &lines[2..3], &lines[3..4], &lines[4..5], &lines[5..8], &lines[8..]];
    assert_eq!(batches, expected.map(|lines| lines.concat()));
}

#[test]
fn a_log_that_is_another_one_is_not_read_on_in() {
    let text = line(0, 3) + &line(1, 3);
    let (_directory, path) = log(&text);
    let end = position(2, text.len());
    for (start, end) in [
        (position(1, 0), end),
        (position(0, 1), end),
        (LogPosition::default(), position(3, text.len())),
        (LogPosition::default(), position(9, text.len() + 100)),
        (LogPosition::default(), position(1, 5)),
        (position(5, text.len() + 100), end),
    ] {
        assert!(read(&path, start, end, LIMITS, "").is_err(), "{start:?} {end:?}");
    }
}

#[test]
fn a_place_is_found_whatever_became_of_its_offset() {
    let lines = [line(0, 3), line(1, 70), line(2, 3)];
    let text = lines.concat();
    let (_directory, path) = log(&text);
    let end = position(3, text.len());
    let second = position(1, lines[0].len());
    let found = |wanted| locate(&path, wanted, end).unwrap();
    assert_eq!(found(second), second);
    assert_eq!(found(end), end);
    for offset in [0, 1, lines[0].len() + 1, text.len() - 1, text.len(), text.len() + 7] {
        assert_eq!(found(position(1, offset)), second, "{offset}");
        assert_eq!(found(position(3, offset)), end, "{offset}");
    }
    assert_eq!(found(position(9, 2_000)), LogPosition::default(), "all of another log is still to be copied");
    assert_eq!(locate(&path, second, position(1, lines[0].len())).unwrap(), second);
    // The records before may lie in an archive.
    let (_directory, path) = log(&lines[1..].concat());
    let end = position(3, lines[1..].concat().len());
    assert_eq!(locate(&path, position(2, 900), end).unwrap(), position(2, lines[1].len()));
    assert_eq!(locate(&path, position(0, 0), end).unwrap(), position(1, 0));
    assert_eq!(locate(&path, position(9, 900), end).unwrap(), position(1, 0));
}

#[test]
fn a_place_is_remembered_for_one_enabling_of_one_device() {
    let (directory, path) = log("");
    let (first, again) = (device(Some(position(1, 10))), device(Some(position(2, 20))));
    let file = PlaceFile::of(&path, &first);
    assert_eq!(file.read(), None);
    file.store(position(7, 700)).unwrap();
    assert_eq!(PlaceFile::of(&path, &first).read(), Some(position(7, 700)));
    assert_eq!(PlaceFile::of(&path, &again).read(), None);
    assert!(!file.0.to_string_lossy().contains("siem"), "its name tells nothing");
    for damaged in ["", "{", "{\"number\":-1,\"offset_bytes\":0}", "7"] {
        std::fs::write(&file.0, damaged).unwrap();
        assert_eq!(file.read(), None, "{damaged}");
    }
    let other = PlaceFile::of(&path, &again);
    other.store(position(1, 1)).unwrap();
    PlaceFile::remove_others(&path, std::slice::from_ref(&other));
    let left: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.contains(&path) && left.contains(&other.0) && left.len() == 2, "{left:?}");
    other.remove();
    other.remove();
}

proptest! {
    #[test]
    fn batches_put_together_are_the_log(fills in proptest::collection::vec(0_usize..200, 1..20), from in 0_usize..20) {
        let lines: Vec<String> = fills.iter().enumerate().map(|(number, fill)| line(number as u64, *fill)).collect();
        let (_directory, path) = log(&lines.concat());
        let from = from.min(lines.len() - 1);
        let start = position(from as u64, lines[..from].concat().len());
        let batches = read_all(&path, start, position(lines.len() as u64, lines.concat().len()));
        prop_assert_eq!(batches.concat(), lines[from..].concat());
        for batch in &batches {
            let count = batch.lines().count() as u64;
            prop_assert!(count <= LIMITS.records_max && (count == 1 || batch.len() as u64 <= LIMITS.bytes_max));
        }
    }

    #[test]
    fn no_file_makes_reading_panic(text in "(\\{\"number\":|[0-9]|,|\n|\\PC){0,40}", number in 0_u64..4, offset in 0_usize..40, end in 0_usize..40) {
        let (_directory, path) = log(&text);
        let (wanted, end) = (position(number, offset), position(3, end.min(text.len())));
        let _ = locate(&path, wanted, end);
        let _ = read(&path, wanted, end, LIMITS, "");
    }
}
