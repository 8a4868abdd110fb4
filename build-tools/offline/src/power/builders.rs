//! Clients that change their schema: each has tables of its own, and in every
//! transaction creates, alters, fills, empties, renames or drops one, notes the
//! step in `build_log`, and commits or rolls back. It knows at every step what
//! its tables should be.

use std::sync::atomic::{AtomicBool, Ordering};

use super::client::{Client, Error};
use super::journal::{Book, Commit, Given, Table, Tables};
use super::random::Random;

/// The most tables of one client.
const MOST_TABLES: usize = 4;
/// Rows of a new table, and of a COPY.
const ROWS: i64 = 25;

/// What they need.
#[must_use]
pub fn tables(builders: u32) -> Vec<String> {
    let mut all = vec!["create table build_log (builder int, step bigint)".to_string()];
    all.extend((0..builders).map(|number| format!("create sequence build_{number}")));
    all
}

/// A statement of a step.
enum Statement {
    Sql(String),
    Copy(String, String),
}
use Statement::{Copy, Sql};

struct Builder {
    number: u32,
    random: Random,
    tables: Tables,
    /// Counts names.
    names: u64,
    /// Counts ids of rows.
    ids: i64,
}

/// Works until told to stop, or the connection ends.
pub fn work(port: u16, number: u32, seed: u64, book: &Book, stop: &AtomicBool) {
    let mut builder = Builder {
        number,
        random: Random::new(seed ^ u64::from(number) << 40),
        tables: Tables::new(),
        names: 0,
        ids: 0,
    };
    book.lock().builders.entry(number).or_default();
    let Ok(mut client) = Client::connect(port) else {
        return;
    };
    for step in 1.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        match builder.step(&mut client, step, book) {
            Ok(()) => {}
            Err(Error::Sql(code, message)) => {
                let mut journal = book.lock();
                let own = journal.builders.entry(number).or_default();
                *own.refused.entry(format!("{code}: {message}")).or_default() += 1;
                let in_doubt = own.commits.last().is_some_and(|c| c.acknowledged.is_none());
                drop(journal);
                // What became of a commit that failed is not known any more.
                if in_doubt || client.query("rollback").is_err() {
                    return;
                }
            }
            Err(Error::Lost(_)) => return,
        }
    }
}

impl Builder {
    fn step(&mut self, client: &mut Client, step: u64, book: &Book) -> Result<(), Error> {
        if self.random.below(6) == 0 {
            return self.next_value(client, book);
        }
        let mut tables = self.tables.clone();
        let statements = self.plan(&mut tables);
        {
            let mut journal = book.lock();
            let own = journal.builders.entry(self.number).or_default();
            own.names.extend(tables.keys().cloned());
        }
        client.query("begin")?;
        for statement in &statements {
            match statement {
                Sql(sql) => drop(client.query(sql)?),
                Copy(sql, lines) => client.copy(sql, lines)?,
            }
        }
        let number = self.number;
        client.query(&format!("insert into build_log values ({number}, {step})"))?;
        if self.random.below(7) == 0 {
            client.query("rollback")?;
            let mut journal = book.lock();
            let own = journal.builders.entry(number).or_default();
            own.rolled_back.insert(step);
            return Ok(());
        }
        let sent = book.now();
        let commit = Commit {
            step,
            sent,
            acknowledged: None,
            tables: Some(tables.clone()),
        };
        let index = {
            let mut journal = book.lock();
            let commits = &mut journal.builders.entry(number).or_default().commits;
            commits.push(commit);
            commits.len() - 1
        };
        client.query("commit")?;
        let now = book.now();
        let mut journal = book.lock();
        let commits = &mut journal.builders.entry(number).or_default().commits;
        commits[index].acknowledged = Some(now);
        self.tables = tables;
        Ok(())
    }

    fn next_value(&mut self, client: &mut Client, book: &Book) -> Result<(), Error> {
        let number = self.number;
        let rows = client.query(&format!("select nextval('build_{number}')"))?;
        let acknowledged = book.now();
        let value = rows
            .first()
            .and_then(|row| row.first()?.as_ref()?.parse().ok());
        if let Some(value) = value {
            let mut journal = book.lock();
            let own = journal.builders.entry(number).or_default();
            own.given.push(Given {
                value,
                acknowledged,
            });
        }
        Ok(())
    }

    /// The statements of a step, and what they make of the tables.
    fn plan(&mut self, tables: &mut Tables) -> Vec<Statement> {
        let names: Vec<String> = tables.keys().cloned().collect();
        let pick = self.random.below(names.len() as u64) as usize;
        let action = self.random.below(12);
        let few = names.len() < 2 || (names.len() < MOST_TABLES && action == 0);
        match names.get(pick) {
            Some(name) if !few => self.change(name, action, tables),
            _ => self.create(tables),
        }
    }

    fn create(&mut self, tables: &mut Tables) -> Vec<Statement> {
        let name = self.name();
        let first = self.ids + 1;
        self.ids += ROWS;
        let last = self.ids;
        tables.insert(
            name.clone(),
            Table {
                extra: Vec::new(),
                indexes: 1,
                ids: (first..=last).collect(),
            },
        );
        vec![
            Sql(format!(
                "create table {name} (id bigint primary key, v text)"
            )),
            Sql(format!(
                "insert into {name} select g, 'v' || g from generate_series({first}, {last}) g"
            )),
        ]
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("build_{}_{}", self.number, self.names)
    }

    /// A change of one table. A dispatch table.
    fn change(&mut self, name: &str, action: u64, tables: &mut Tables) -> Vec<Statement> {
        let Some(mut table) = tables.remove(name) else {
            return Vec::new();
        };
        let mut now = name.to_string();
        let statement = match action {
            0 | 1 if table.indexes < 4 => {
                self.names += 1;
                table.indexes += 1;
                let index = self.names;
                Sql(format!("create index {name}_{index} on {name} (v)"))
            }
            2 if table.extra.len() < 5 => {
                self.names += 1;
                let column = format!("c{}", self.names);
                table.extra.push(column.clone());
                Sql(format!(
                    "alter table {name} add column {column} int default 7"
                ))
            }
            3 if !table.extra.is_empty() => {
                let column = table.extra.remove(0);
                Sql(format!("alter table {name} drop column {column}"))
            }
            4..=6 => {
                let mut lines = String::new();
                for _ in 0..ROWS {
                    self.ids += 1;
                    table.ids.insert(self.ids);
                    lines += &format!("{}\tcopied {}\n", self.ids, self.ids);
                }
                tables.insert(now, table);
                return vec![Copy(format!("copy {name} (id, v) from stdin"), lines)];
            }
            7 => {
                table.ids.clear();
                Sql(format!("truncate {name}"))
            }
            8 => {
                table.ids.retain(|id| id % 3 != 0);
                Sql(format!("delete from {name} where id % 3 = 0"))
            }
            9 => {
                now = self.name();
                Sql(format!("alter table {name} rename to {now}"))
            }
            10 => return vec![Sql(format!("drop table {name}"))],
            _ => Sql(format!("update {name} set v = v || 'x' where id % 2 = 0")),
        };
        tables.insert(now, table);
        vec![statement]
    }
}
