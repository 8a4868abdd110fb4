//! Whether pgbench's tables agree: TPC-B adds the same amount to an account, a
//! teller, a branch and the history, so after any number of whole transactions
//! the four sums are equal.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};

use super::findings::Findings;
use crate::bench::sql::Session;

/// What adding up a million accounts may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The four sums and the rows of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sums {
    sums: [i64; 4],
    /// Transactions that happened, if the history began empty.
    pub(super) history: u64,
}

impl Sums {
    /// Asks the system.
    pub(super) fn ask(port: u16) -> Result<Self> {
        Self::ask_in(&mut Session::connect(port, LIMIT)?)
    }

    /// Asks in this session.
    pub(super) fn ask_in(session: &mut Session) -> Result<Self> {
        let rows = session.query(
            "select (select sum(abalance) from pgbench_accounts), \
             (select sum(bbalance) from pgbench_branches), \
             (select sum(tbalance) from pgbench_tellers), \
             (select coalesce(sum(delta), 0) from pgbench_history), \
             (select count(*) from pgbench_history)",
        )?;
        let row = rows.first().context("no row with the sums")?;
        let number = |at: usize| {
            let field = row.get(at).and_then(Option::as_deref);
            let field = field.context("a sum is missing")?;
            field.parse::<i64>().context("a sum is no number")
        };
        Ok(Self {
            sums: [number(0)?, number(1)?, number(2)?, number(3)?],
            history: u64::try_from(number(4)?)?,
        })
    }

    /// Whether no money was made or lost.
    pub(super) fn agree(&self) -> bool {
        self.agree_since(0)
    }

    /// The same where the history was emptied when the other sums were `base`.
    pub(super) fn agree_since(&self, base: i64) -> bool {
        let [accounts, branches, tellers, history] = self.sums;
        branches == accounts && tellers == accounts && history + base == accounts
    }

    /// The sum of all accounts.
    pub(super) fn accounts(&self) -> i64 {
        self.sums[0]
    }

    /// Notes that they agree, and that the history has a row for each
    /// acknowledged transaction, and at most `open` more.
    pub(super) fn check(&self, findings: &mut Findings, acknowledged: u64, open: u64, when: &str) {
        findings.check(
            format!("the four sums are equal{when}"),
            self.agree(),
            self.to_string(),
        );
        let most = acknowledged + open;
        findings.check(
            format!("history has the acknowledged rows{when}"),
            (acknowledged..=most).contains(&self.history),
            match open {
                0 => format!("{} rows, {acknowledged} acknowledged", self.history),
                _ => format!(
                    "{} rows, {acknowledged} acknowledged, {open} open at most",
                    self.history
                ),
            },
        );
    }
}

/// What can be compared in a moment, by one statement while transactions go on: the
/// sums of all but the accounts, and the rows of history and of the clients' numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QuickSums([i64; 5]);

impl QuickSums {
    /// Asks the system.
    pub(super) fn ask(session: &mut Session) -> Result<Self> {
        let rows = session.query(
            "select (select sum(bbalance) from pgbench_branches), \
             (select sum(tbalance) from pgbench_tellers), \
             (select coalesce(sum(delta), 0) from pgbench_history), \
             (select count(*) from pgbench_history), \
             (select count(*) from trial_witness)",
        )?;
        let row = rows.first().context("no row with the sums")?;
        let mut numbers = [0; 5];
        for (number, field) in numbers.iter_mut().zip(row) {
            let field = field.as_deref().context("a sum is missing")?;
            *number = field.parse().context("a sum is no number")?;
        }
        Ok(Self(numbers))
    }

    /// Whether no money was made or lost, and every transaction is whole; the history
    /// and the numbers were emptied when the sums were `base`.
    pub(super) fn agree_since(&self, base: i64) -> bool {
        let [branches, tellers, history, rows, noted] = self.0;
        branches == tellers && tellers == history + base && rows == noted
    }
}

impl fmt::Display for QuickSums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [branches, tellers, history, rows, noted] = self.0;
        write!(
            f,
            "branches {branches}, tellers {tellers}, history {history}; \
             {rows} rows of history, {noted} numbers"
        )
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.agree() {
            return write!(f, "{}", self.sums[0]);
        }
        let [accounts, branches, tellers, history] = self.sums;
        write!(
            f,
            "accounts {accounts}, branches {branches}, tellers {tellers}, history {history}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_that_was_made_is_seen() {
        let sums = |history| Sums {
            sums: [7, 7, 7, history],
            history: 2,
        };
        assert!(sums(7).agree() && sums(3).agree_since(4));
        assert!(!sums(3).agree() && !sums(7).agree_since(4));
        assert!(QuickSums([7, 7, 3, 2, 2]).agree_since(4));
        assert!(!QuickSums([7, 7, 3, 2, 1]).agree_since(4));
        assert!(!QuickSums([7, 8, 3, 2, 2]).agree_since(4));
    }
}
