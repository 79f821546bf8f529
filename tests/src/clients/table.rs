//! The table of clients and areas in `docs/clients.md`.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use super::Passed;

/// Every area that suites have tests for: the name of its file or class in the suites, and what it covers. Names are
/// compared without case and underscores.
pub const AREAS: [(&str, &str); 16] = [
    ("sys", "init, unseal, seal, health"),
    ("mounts", "mounts"),
    ("kv_v1", "KV version 1"),
    ("kv_v2", "KV version 2"),
    ("cubbyhole", "cubbyhole"),
    ("policies", "policies"),
    ("tokens", "tokens, accessors, roles"),
    ("auth", "auth methods, logins, leases, renewal"),
    ("identity", "identity"),
    ("wrapping", "response wrapping"),
    ("control_groups", "control groups"),
    ("transit", "transit"),
    ("custody", "rekey, generate-root, rotate"),
    ("audit", "audit devices, quotas, tools"),
    ("snapshots", "snapshots"),
    ("errors", "errors"),
];

const BEGIN: &str = "<!-- clients: begin -->\n";
const END: &str = "<!-- clients: end -->\n";

/// Renders how many tests passed, for each client by its heading.
///
/// # Errors
/// Names an area that is not in [`AREAS`].
pub fn render(columns: &[(String, &Passed)]) -> Result<String> {
    for (client, passed) in columns {
        let unknown: Vec<&String> =
            passed.keys().filter(|name| !AREAS.iter().any(|(area, _)| same(area, name))).collect();
        ensure!(
            unknown.is_empty(),
            "{client} has tests of {unknown:?}: add them to AREAS in tests/src/clients/table.rs"
        );
    }
    let mut table = String::from("| area |");
    columns.iter().try_for_each(|(client, _)| write!(table, " {client} |"))?;
    writeln!(table, "\n|---|{}", "--:|".repeat(columns.len()))?;
    for (area, title) in AREAS {
        write!(table, "| {title} |")?;
        for (_, passed) in columns {
            match passed.iter().find(|(name, _)| same(area, name)) {
                Some((_, count)) => write!(table, " {count} |")?,
                None => write!(table, " – |")?,
            }
        }
        table.push('\n');
    }
    write!(table, "| all |")?;
    columns.iter().try_for_each(|(_, passed)| write!(table, " {} |", passed.values().sum::<usize>()))?;
    table.push('\n');
    Ok(table)
}

/// Gives `document` with `table` in the place of the one between the markers.
///
/// # Errors
/// Fails when a marker is missing.
pub fn replace(document: &str, table: &str) -> Result<String> {
    let (before, rest) = document.split_once(BEGIN).with_context(|| format!("no line {BEGIN:?}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("no line {END:?} after the first"))?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

fn same(area: &str, name: &str) -> bool {
    let letters = |text: &str| text.replace('_', "").to_lowercase();
    letters(area) == letters(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_test_and_an_area_without_tests_show() {
        let (one, other) = (Passed::from([("KvV2".to_owned(), 3)]), Passed::from([("sys".to_owned(), 2)]));
        let table = render(&[("a 1.0".to_owned(), &one), ("b 2.0".to_owned(), &other)]).unwrap();
        assert!(table.starts_with("| area | a 1.0 | b 2.0 |\n|---|--:|--:|\n"), "{table}");
        assert!(table.contains("| KV version 2 | 3 | – |\n"), "{table}");
        assert!(table.ends_with("| all | 3 | 2 |\n"), "{table}");
        let fewer = Passed::from([("KvV2".to_owned(), 2)]);
        assert_ne!(render(&[("a 1.0".to_owned(), &fewer), ("b 2.0".to_owned(), &other)]).unwrap(), table);
    }

    #[test]
    fn an_unknown_area_is_refused() {
        let passed = Passed::from([("sys".to_owned(), 2), ("novelty".to_owned(), 1)]);
        assert!(render(&[("a".to_owned(), &passed)]).unwrap_err().to_string().contains("novelty"));
    }

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let document = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(replace(&document, "new\n").unwrap(), format!("a\n{BEGIN}new\n{END}b\n"));
        assert!(replace("a\n", "new\n").is_err());
        assert!(replace(&format!("{END}{BEGIN}"), "new\n").is_err());
    }
}
