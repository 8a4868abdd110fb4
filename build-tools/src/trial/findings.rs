//! What a trial found: checks that hold or do not, figures, and the single
//! values behind them; printed and written as JSON.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Wishes;
use crate::bench::report::{Origin, Row, line};

/// Something that was promised, and what was found.
#[derive(Debug, Serialize)]
struct Check {
    what: String,
    holds: bool,
    found: String,
}

/// What a trial found so far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Findings {
    checks: Vec<Check>,
    rows: Vec<Row>,
    /// Single values, by name.
    values: Map<String, Value>,
}

/// The file.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    #[serde(flatten)]
    pub(super) origin: &'a Origin,
    pub(super) wishes: &'a Wishes,
    pub(super) passed: bool,
    #[serde(flatten)]
    pub(super) findings: &'a Findings,
}

impl Findings {
    /// Notes whether a promise holds, and says so at once.
    pub(super) fn check(&mut self, what: impl Into<String>, holds: bool, found: impl Into<String>) {
        let check = Check {
            what: what.into(),
            holds,
            found: found.into(),
        };
        println!("{}", check.line());
        self.checks.push(check);
    }

    /// Notes that something is what it should be.
    pub(super) fn equal<T: PartialEq + std::fmt::Display>(
        &mut self,
        what: impl Into<String>,
        found: T,
        wanted: T,
    ) {
        let said = if found == wanted {
            found.to_string()
        } else {
            format!("{found}, wanted {wanted}")
        };
        self.check(what, found == wanted, said);
    }

    /// Adds a figure.
    pub(super) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Keeps single values.
    pub(super) fn keep(&mut self, name: &str, values: impl Serialize) {
        // Only what serde cannot write fails, and nothing here is of that kind.
        let values = serde_json::to_value(values).unwrap_or(Value::Null);
        self.values.insert(name.to_string(), values);
    }

    /// Whether there was a check and all hold.
    pub(super) fn passed(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.holds)
    }

    /// Figures, then the checks that fail, for people.
    pub(super) fn table(&self) -> String {
        let rows = self.rows.iter().map(line);
        let failed = self.checks.iter().filter(|check| !check.holds);
        let held = self.checks.len() - failed.clone().count();
        let last = format!("{held} of {} checks hold", self.checks.len());
        rows.chain(failed.map(Check::line))
            .chain([last])
            .map(|line| line + "\n")
            .collect()
    }
}

impl Check {
    fn line(&self) -> String {
        let verdict = if self.holds { "holds" } else { "FAILS" };
        format!("{verdict}  {:<44} {}", self.what, self.found)
            .trim_end()
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_promise_fails_the_trial() {
        let mut findings = Findings::default();
        assert!(!findings.passed(), "nothing was checked");
        findings.equal("a", 1, 1);
        assert!(findings.passed());
        findings.equal("b", 1, 2);
        assert!(!findings.passed());
        assert!(findings.table().contains("1, wanted 2"));
        assert!(findings.table().contains("1 of 2 checks hold"));
    }
}
