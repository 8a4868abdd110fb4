//! Questions whose answers are learned from a sound system, so that a damaged one
//! can be caught giving wrong ones: aggregates with checksums, joins, sorting,
//! grouping, an index scan, over a table that nobody changes.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

use super::clients::LIMIT;
use crate::bench::sql::{Session, SqlError, TextRow};

const TABLE: &str = "create table trial_fixed (id int primary key, k int, t text, n numeric); \
    insert into trial_fixed select g, (g * 37) % 2000 + 1, md5(g::text), g * 1.25 \
    from generate_series(1, 2000) g";

const QUESTIONS: [&str; 7] = [
    "select count(*), sum(k), min(t), max(t), sum(n) from trial_fixed",
    "select md5(string_agg(t, ',' order by id)) from trial_fixed",
    "select k % 10, count(*), sum(n) from trial_fixed group by 1 order by 1",
    "select a.id, b.t from trial_fixed a join trial_fixed b on b.id = a.k \
     where a.id between 100 and 120 order by a.id",
    "select t, n from trial_fixed where id = 777",
    "select id, t from trial_fixed where t like 'ab%' order by t",
    "select count(*) from trial_fixed a where exists \
     (select 1 from trial_fixed b where b.k = a.id and b.n > 1000)",
];

/// How a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A simple query.
    Simple,
    /// By the extended protocol, parsed each time.
    Extended,
    /// By the extended protocol, as a statement that is prepared once.
    Prepared,
    /// Another question, of a text that nobody has asked before: the others' plans
    /// are known, and parser and planner see nothing of them.
    Fresh,
}

impl Way {
    /// All of them in turn.
    pub(super) fn of(number: u64) -> Self {
        [Self::Simple, Self::Extended, Self::Prepared, Self::Fresh][(number % 4) as usize]
    }
}

/// Questions with their right answers.
#[derive(Debug)]
pub(super) struct Answers(Vec<(&'static str, Vec<TextRow>)>);

impl Answers {
    /// Makes the table and learns the answers.
    pub(super) fn learn(port: u16) -> Result<Self> {
        let mut session = Session::connect(port, LIMIT)?;
        session.query(TABLE)?;
        let mut answers = Vec::new();
        for question in QUESTIONS {
            answers.push((question, session.query(question)?));
        }
        Ok(Self(answers))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Asks one; says what is wrong with the answer, if anything.
    pub(super) fn ask(
        &self,
        session: &mut Session,
        number: usize,
        way: Way,
    ) -> Result<Option<String>, SqlError> {
        let number = number % self.0.len();
        let (question, right) = &self.0[number];
        let found = match way {
            Way::Simple => session.query(question)?,
            Way::Extended => session.execute(question, &[])?,
            Way::Prepared => session.prepared(&format!("question{number}"), question)?,
            Way::Fresh => return fresh(session),
        };
        let wrong = || format!("{question}: {} rows, not the right ones", found.len());
        Ok((found != *right).then(wrong))
    }

    /// Asks all; gives what is wrong.
    pub(super) fn ask_all(&self, port: u16) -> Result<Vec<String>> {
        let mut session = Session::connect(port, LIMIT)?;
        let mut wrong = Vec::new();
        for number in 0..self.count() {
            session.allow(LIMIT);
            wrong.extend(self.ask(&mut session, number, Way::Simple)?);
        }
        Ok(wrong)
    }
}

/// Asks what no one has asked before.
fn fresh(session: &mut Session) -> Result<Option<String>, SqlError> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let text = format!("select k + {number} as k{number} from trial_fixed where id = 777");
    let found = session.query(&text)?;
    let right = (777 * 37 % 2000 + 1 + number).to_string();
    let is_right = found == [vec![Some(right)]];
    Ok((!is_right).then(|| format!("{text}: {found:?}")))
}
