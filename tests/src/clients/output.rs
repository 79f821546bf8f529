//! Counts passed tests by area in what the runners of the suites write. Skipped tests do not count.

use super::Passed;

/// A test runner, by the form of its output.
#[derive(Clone, Copy)]
pub(super) enum Runner {
    /// Python's unittest, verbose: an area is a module `test_<area>`.
    Unittest,
    /// TAP from Node.js: an area is a test, its tests are subtests.
    Tap,
    /// `go test -v`: an area is a function `Test<Area>`, its tests are subtests.
    Go,
    /// Maven Surefire: an area is a class `<Area>Test`.
    Surefire,
    /// The Rust test harness: an area is a module.
    Libtest,
}

impl Runner {
    pub(super) fn passed(self, stdout: &str, stderr: &str) -> Passed {
        let mut passed = Passed::new();
        let mut add = |area: &str, count: usize| *passed.entry(area.to_owned()).or_default() += count;
        match self {
            Self::Unittest => unittest(stderr, &mut add),
            Self::Tap => tap(stdout, &mut add),
            Self::Go => stdout.lines().filter_map(go).for_each(|area| add(area, 1)),
            Self::Surefire => stdout.lines().filter_map(surefire).for_each(|(area, count)| add(area, count)),
            Self::Libtest => stdout.lines().filter_map(libtest).for_each(|area| add(area, 1)),
        }
        passed.retain(|_, count| *count > 0);
        passed
    }
}

/// `test_x (test_<area>.Class.test_x) ... ok`; a warning may push the `ok` to a later line.
fn unittest(output: &str, add: &mut impl FnMut(&str, usize)) {
    let mut current = None;
    for line in output.lines() {
        let start = line.split_once(" (test_").and_then(|(_, rest)| rest.split_once('.'));
        if let Some((area, _)) = start.filter(|_| line.contains(") ... ")) {
            current = Some(area);
        }
        let verdict = line.rsplit_once(" ... ").map_or(line, |(_, verdict)| verdict);
        if verdict == "ok" {
            current.take().into_iter().for_each(|area| add(area, 1));
        }
    }
}

/// `# Subtest: <area>` at the margin, then `    ok 1 - name` for each of its tests, with ` # SKIP` when it did not run.
fn tap(output: &str, add: &mut impl FnMut(&str, usize)) {
    let mut area = "";
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("# Subtest: ") {
            area = name;
        } else if line.starts_with("    ok ") && !line.contains(" # ") {
            add(area, 1);
        }
    }
}

/// `    --- PASS: Test<Area>/name (0.01s)`.
fn go(line: &str) -> Option<&str> {
    let (area, _) = line.strip_prefix("    --- PASS: Test")?.split_once('/')?;
    Some(area)
}

/// `[INFO] Tests run: 4, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 1 s -- in package.<Area>Test`.
fn surefire(line: &str) -> Option<(&str, usize)> {
    let (counts, class) = line.split_once(" -- in ")?;
    let count = |label: &str| -> Option<usize> {
        let (_, rest) = counts.split_once(label)?;
        rest.split(',').next()?.trim().parse().ok()
    };
    let (run, skipped) = (count("Tests run:")?, count("Skipped:")?);
    let name = class.rsplit('.').next()?.strip_suffix("Test")?;
    Some((name, run.checked_sub(skipped)?))
}

/// `test <area>::name ... ok`.
fn libtest(line: &str) -> Option<&str> {
    let (area, _) = line.strip_prefix("test ")?.strip_suffix(" ... ok")?.split_once("::")?;
    Some(area)
}

#[cfg(test)]
mod tests {
    use super::Runner::{Go, Libtest, Surefire, Tap, Unittest};
    use super::*;

    #[test]
    fn each_runner_tells_what_passed_in_which_area() {
        let unittest = "test_a (test_kv_v2.KvV2.test_a) ... ok\ntest_b (test_kv_v2.KvV2) ... old.py:1: Warning: x\n  y\n\
                        ok\ntest_c (test_sys.Sys.test_c) ... skipped 'x'\ntest_d (test_sys.Sys.test_d) ... ok\n\nRan 4 tests";
        let tap = "# Subtest: kv_v2\n    # Subtest: a\n    ok 1 - a\n      ---\n    # Subtest: b\n    ok 2 - b\n    \
                   ok 3 - c # SKIP\nok 1 - kv_v2\n# Subtest: sys\n    ok 1 - a\nok 2 - sys\n# pass 5";
        let go = "--- PASS: TestKvV2 (0.2s)\n    --- PASS: TestKvV2/a (0.1s)\n    --- PASS: TestKvV2/b (0.1s)\n    \
                  --- SKIP: TestKvV2/c (0s)\n--- PASS: TestSys (0s)\n    --- PASS: TestSys/a/b (0s)\nPASS";
        let surefire = "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 1, Time elapsed: 1 s -- in k.c.KvV2Test\n\
                        [INFO] Tests run: 1, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 1 s -- in k.c.SysTest\n\
                        [INFO] Tests run: 4, Failures: 0, Errors: 0, Skipped: 1";
        let libtest = "running 4 tests\ntest kv_v2::a ... ok\ntest kv_v2::b ... ok\ntest kv_v2::c ... ignored\n\
                       test sys::a ... ok\n\ntest result: ok. 3 passed";
        let cases = [
            (Unittest, ["", unittest], ["kv_v2", "sys"]),
            (Tap, [tap, ""], ["kv_v2", "sys"]),
            (Go, [go, ""], ["KvV2", "Sys"]),
            (Surefire, [surefire, ""], ["KvV2", "Sys"]),
            (Libtest, [libtest, ""], ["kv_v2", "sys"]),
        ];
        for (runner, [stdout, stderr], [kv, sys]) in cases {
            let expected = Passed::from([(kv.to_owned(), 2), (sys.to_owned(), 1)]);
            assert_eq!(runner.passed(stdout, stderr), expected, "{stdout}{stderr}");
        }
    }

    #[test]
    fn a_runner_without_tests_is_noticed() {
        let outputs = [
            (Unittest, "", "\nRan 0 tests in 0.000s\n\nOK"),
            (Tap, "TAP version 13\n1..0\n# tests 0\n# pass 0", ""),
            (Go, "ok  \tkeyturn.invalid/clients\t0.5s [no tests to run]", ""),
            (
                Surefire,
                "[INFO] Tests run: 0, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0 s -- in k.SysTest",
                "",
            ),
            (Libtest, "running 0 tests\n\ntest result: ok. 0 passed; 0 failed", ""),
        ];
        for (runner, stdout, stderr) in outputs {
            assert!(runner.passed(stdout, stderr).is_empty(), "{stdout}{stderr}");
        }
    }
}
