//! Test counts, read from what the runners print. The formats are theirs; the runners are pinned.

use regex::Regex;
use std::{fmt, ops::AddAssign};

/// How tests ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Counts {
    /// Tests that ran to some end.
    pub(super) fn ran(self) -> u64 {
        self.passed + self.failed
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(
            f,
            "{passed} tests passed, {failed} failed, {skipped} skipped"
        )
    }
}

/// From nextest's `Summary [   1.2s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
///
/// `None` without such a line: the tests did not compile, or there are none.
pub(super) fn of_nextest(output: &str) -> Option<Counts> {
    let line = output
        .lines()
        .rev()
        .find(|line| line.trim_start().starts_with("Summary ["))?;
    let (_, ends) = line.split_once(": ")?;
    let number = Regex::new(r"([0-9]+) (passed|failed|timed out|exec failed|skipped)")
        .expect("a valid pattern");
    let mut counts = Counts::default();
    // Brackets say how some of the passed ones did: slow, flaky, leaky.
    for part in without_brackets(ends).split(", ") {
        let Some(found) = number.captures(part) else {
            continue;
        };
        let count: u64 = found[1].parse().ok()?;
        match &found[2] {
            "passed" => counts.passed += count,
            "skipped" => counts.skipped += count,
            _ => counts.failed += count,
        }
    }
    Some(counts)
}

/// From the `test result: ok. 3 passed; 0 failed; 1 ignored; …` lines of rustdoc and libtest.
pub(super) fn of_libtest(output: &str) -> Counts {
    let line = Regex::new(r"^test result: .*?([0-9]+) passed; ([0-9]+) failed; ([0-9]+) ignored")
        .expect("a valid pattern");
    let mut counts = Counts::default();
    for found in output.lines().filter_map(|text| line.captures(text)) {
        let number = |index: usize| found[index].parse().unwrap_or(0);
        counts += Counts {
            passed: number(1),
            failed: number(2),
            skipped: number(3),
        };
    }
    counts
}

fn without_brackets(text: &str) -> String {
    let mut depth = 0;
    let outside = text.chars().filter(|c| match c {
        '(' => {
            depth += 1;
            false
        }
        ')' => {
            depth -= 1;
            false
        }
        _ => depth == 0,
    });
    outside.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nextest(line: &str) -> Option<(u64, u64, u64)> {
        of_nextest(line).map(|c| (c.passed, c.failed, c.skipped))
    }

    #[test]
    fn nextest_summaries_are_read() {
        assert_eq!(
            nextest("     Summary [   0.500s] 312 tests run: 312 passed, 0 skipped"),
            Some((312, 0, 0))
        );
        assert_eq!(
            nextest("Summary [1.0s] 1 test run: 1 passed, 4 skipped\nmore"),
            Some((1, 0, 4))
        );
        assert_eq!(
            nextest(
                "Summary [ 61.2s] 5/7 tests run: 2 passed (1 slow, 1 flaky), 1 failed, 1 timed out, 1 exec failed, 2 skipped"
            ),
            Some((2, 3, 2))
        );
        assert_eq!(nextest("error: could not compile `tau-core`"), None);
    }

    #[test]
    fn every_doctest_binary_counts() {
        let output = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured\n\ntest result: FAILED. 1 passed; 2 failed; 0 ignored\n";
        let found = of_libtest(output);
        assert_eq!((found.passed, found.failed, found.skipped), (4, 2, 1));
    }
}
