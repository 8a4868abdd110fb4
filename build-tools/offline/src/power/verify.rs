//! Whether a database holds exactly what its clients were told: read through the
//! cells, compared with the journal.

use std::collections::{BTreeMap, BTreeSet};

use pg_buffer_port::{FileId, Fork, PageId};
use pg_catalog_port::CATALOG;
use pg_heap_port::RowBatch;
use pg_page::{HEADER_SIZE, get_u64};
use pg_plan::Relation;
use pg_txn_port::{Isolation, Transaction};
use pg_types::tuple::Tuple;
use pg_types::{Datum, Str};

use super::journal::{Client, Commit, Journal};

/// Where the power went, in the log of writes.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Whatever was told before the log was so long is there.
    pub done_to: u64,
    /// Whatever was asked for only when the log was longer is not there.
    pub reaches_to: u64,
}

/// What is wrong, in words; empty when all is well.
#[must_use]
pub fn verify(journal: &Journal, cut: Cut) -> Vec<String> {
    let mut wrong = Vec::new();
    let found = Transaction::begin(Isolation::RepeatableRead, true)
        .map_err(|error| format!("{error:?}"))
        .map(|tx| Look { tx });
    let outcome = found.and_then(|mut look| {
        look.tx
            .start_command()
            .map_err(|error| format!("{error:?}"))?;
        look.money(journal, cut, &mut wrong)?;
        look.schema(journal, cut, &mut wrong)
    });
    if let Err(error) = outcome {
        wrong.push(error);
    }
    wrong
}

struct Look {
    tx: Transaction,
}

impl Look {
    fn relation(&mut self, name: &str) -> Result<Option<std::sync::Arc<Relation>>, String> {
        let catalog = CATALOG.enter().map_err(|error| format!("{error:?}"))?;
        let path = [Str::from("public")];
        let found = catalog.relation(&mut self.tx, &path, None, name);
        found.map_err(|error| format!("{name}: {}", error.message()))
    }

    /// All rows of a table, which must be there.
    fn rows(&mut self, name: &str) -> Result<Vec<Vec<Datum>>, String> {
        let relation = self.relation(name)?.ok_or(format!("there is no {name}"))?;
        self.rows_of(&relation)
    }

    fn rows_of(&mut self, relation: &Relation) -> Result<Vec<Vec<Datum>>, String> {
        let words = |error: &dyn std::fmt::Debug| format!("{}: {error:?}", relation.name);
        let snapshot = self.tx.snapshot().map_err(|e| words(&e))?;
        let file = FileId::new(relation.file, Fork::Main);
        let mut batch = RowBatch::new();
        let mut rows = Vec::new();
        for block in 0..pg_heap_port::blocks(file).map_err(|e| words(&e))? {
            pg_heap_port::scan_block(&snapshot, file, block, &mut batch).map_err(|e| words(&e))?;
            for (_, bytes) in batch.iter() {
                let row = Tuple::new(&relation.desc, bytes).and_then(|t| t.decode());
                rows.push(row.map_err(|e| words(&e))?);
            }
        }
        Ok(rows)
    }

    fn sum(&mut self, table: &str, column: usize) -> Result<i64, String> {
        let rows = self.rows(table)?;
        Ok(rows
            .iter()
            .filter_map(|row| row.get(column)?.as_i64())
            .sum())
    }

    /// Sums agree, and the history has exactly the transactions told of.
    fn money(
        &mut self,
        journal: &Journal,
        cut: Cut,
        wrong: &mut Vec<String>,
    ) -> Result<(), String> {
        let sums = [
            self.sum("pgbench_accounts", 2)?,
            self.sum("pgbench_tellers", 2)?,
            self.sum("pgbench_branches", 1)?,
            self.sum("pgbench_history", 3)?,
        ];
        if sums.iter().any(|sum| *sum != sums[0]) {
            wrong.push(format!(
                "sums of accounts, tellers, branches, history: {sums:?}"
            ));
        }
        let mut steps: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for row in self.rows("pgbench_history")? {
            // pgbench's own have none.
            let Some(filler) = row.get(5).and_then(Datum::as_str) else {
                continue;
            };
            let parts = filler.trim_end().split_once('-');
            let parts = parts.and_then(|(c, s)| Some((c.parse().ok()?, s.parse().ok()?)));
            let (client, step) = parts.ok_or(format!("a history row with filler {filler:?}"))?;
            steps.entry(client).or_default().push(step);
        }
        for (number, client) in &journal.tellers {
            let found = steps.remove(number).unwrap_or_default();
            compare(&format!("teller {number}"), client, &found, cut, wrong);
        }
        if !steps.is_empty() {
            wrong.push(format!("history of nobody: {steps:?}"));
        }
        Ok(())
    }

    /// The same for steps that change the schema, and the tables are those after
    /// the last one.
    fn schema(
        &mut self,
        journal: &Journal,
        cut: Cut,
        wrong: &mut Vec<String>,
    ) -> Result<(), String> {
        let mut steps: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for row in self.rows("build_log")? {
            let number = |at: usize| row.get(at).and_then(Datum::as_i64);
            let (client, step) = number(0).zip(number(1)).ok_or("a NULL in build_log")?;
            steps.entry(client as u32).or_default().push(step as u64);
        }
        for (number, client) in &journal.builders {
            let found = steps.remove(number).unwrap_or_default();
            let last = compare(&format!("builder {number}"), client, &found, cut, wrong);
            self.tables(client, last, wrong)?;
            self.sequence(*number, client, cut, wrong)?;
        }
        Ok(())
    }

    fn tables(
        &mut self,
        client: &Client,
        last: Option<&Commit>,
        wrong: &mut Vec<String>,
    ) -> Result<(), String> {
        let none = BTreeMap::new();
        let wanted = last
            .and_then(|commit| commit.tables.as_ref())
            .unwrap_or(&none);
        for name in &client.names {
            match (self.relation(name)?, wanted.get(name)) {
                (None, None) => {}
                (Some(_), None) => wrong.push(format!("{name} should not be there")),
                (None, Some(_)) => wrong.push(format!("{name} is not there")),
                (Some(relation), Some(table)) => {
                    let live = relation.desc.attrs().iter().filter(|a| !a.dropped).count();
                    let wanted = (2 + table.extra.len(), table.indexes);
                    let found = (live, relation.indexes.len());
                    if found != wanted {
                        let words = "columns and indexes";
                        wrong.push(format!("{name}: {found:?} {words}, not {wanted:?}"));
                    }
                    let rows = self.rows_of(&relation)?;
                    let ids = rows.iter().filter_map(|row| row.first()?.as_i64());
                    let ids: BTreeSet<i64> = ids.collect();
                    if ids != table.ids || rows.len() != table.ids.len() {
                        let (n, m) = (rows.len(), table.ids.len());
                        wrong.push(format!("{name}: {n} rows that are not the {m} wanted"));
                    }
                }
            }
        }
        Ok(())
    }

    /// No value that was given is given again.
    fn sequence(
        &mut self,
        number: u32,
        client: &Client,
        cut: Cut,
        wrong: &mut Vec<String>,
    ) -> Result<(), String> {
        let given = client
            .given
            .iter()
            .filter(|g| g.acknowledged <= cut.done_to);
        let Some(last) = given.map(|g| g.value).max() else {
            return Ok(());
        };
        let name = format!("build_{number}");
        let sequence = self.relation(&name)?.ok_or(format!("there is no {name}"))?;
        let page = PageId::new(FileId::new(sequence.file, Fork::Main), 0);
        let page = pg_buffer_port::read_page(page).map_err(|error| format!("{name}: {error}"))?;
        let value = get_u64(&page[..], HEADER_SIZE) as i64;
        if value < last {
            wrong.push(format!("{name} gave {last} and stands at {value}"));
        }
        Ok(())
    }
}

/// Compares the steps found with those of the journal; the last one that is
/// there.
fn compare<'a>(
    who: &str,
    client: &'a Client,
    found: &[u64],
    cut: Cut,
    wrong: &mut Vec<String>,
) -> Option<&'a Commit> {
    let set: BTreeSet<u64> = found.iter().copied().collect();
    if set.len() != found.len() {
        wrong.push(format!("{who}: a step is there twice"));
    }
    let mut known = BTreeSet::new();
    let mut last = None;
    for commit in &client.commits {
        known.insert(commit.step);
        let is_there = set.contains(&commit.step);
        let must = commit.acknowledged.is_some_and(|at| at <= cut.done_to);
        let may = commit.sent < cut.reaches_to;
        if must && !is_there {
            wrong.push(format!(
                "{who}: step {} was acknowledged and is lost",
                commit.step
            ));
        }
        if is_there && !may {
            wrong.push(format!(
                "{who}: step {} is there before it was sent",
                commit.step
            ));
        }
        if is_there {
            last = Some(commit);
        }
    }
    for step in set.difference(&known) {
        let words = match client.rolled_back.contains(step) {
            true => "was rolled back and is there",
            false => "is there without a commit",
        };
        wrong.push(format!("{who}: step {step} {words}"));
    }
    last
}
