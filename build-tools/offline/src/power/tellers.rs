//! Clients that move money: pgbench's TPC-B transaction, with each commit noted.
//! The filler of a history row names the client and its transaction.

use std::sync::atomic::{AtomicBool, Ordering};

use super::client::{Client, Error};
use super::journal::{Book, Commit};
use super::random::Random;

/// Rows of `pgbench_branches`.
pub const BRANCHES: u64 = 2;
/// Rows of `pgbench_tellers`.
pub const TELLERS: u64 = 20;
/// Rows of `pgbench_accounts`.
pub const ACCOUNTS: u64 = 3000;

/// The tables, as pgbench makes them, with fewer accounts.
#[must_use]
pub fn tables() -> Vec<String> {
    let fill = |table: &str, columns: &str, rows: u64| {
        format!("insert into pgbench_{table} select {columns} from generate_series(1, {rows}) g")
    };
    vec![
        "create table pgbench_branches (bid int primary key, bbalance int, filler char(88))".into(),
        "create table pgbench_tellers (tid int primary key, bid int, tbalance int, filler char(84))"
            .into(),
        "create table pgbench_accounts (aid int primary key, bid int, abalance int, filler char(84))"
            .into(),
        "create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, \
         filler char(22))"
            .into(),
        fill("branches", "g, 0, ''", BRANCHES),
        fill("tellers", "g, g % 2 + 1, 0, ''", TELLERS),
        fill("accounts", "g, g % 2 + 1, 0, ''", ACCOUNTS),
    ]
}

/// The same transaction for pgbench itself, whose commits nobody notes.
#[must_use]
pub fn script() -> String {
    format!(
        "\\set aid random(1, {ACCOUNTS})\n\\set tid random(1, {TELLERS})\n\
         \\set bid random(1, {BRANCHES})\n\\set delta random(-5000, 5000)\n\
         begin;\n\
         update pgbench_accounts set abalance = abalance + :delta where aid = :aid;\n\
         select abalance from pgbench_accounts where aid = :aid;\n\
         update pgbench_tellers set tbalance = tbalance + :delta where tid = :tid;\n\
         update pgbench_branches set bbalance = bbalance + :delta where bid = :bid;\n\
         insert into pgbench_history (tid, bid, aid, delta, mtime) \
         values (:tid, :bid, :aid, :delta, current_timestamp);\n\
         end;\n"
    )
}

/// Works until told to stop, or the connection ends.
pub fn work(port: u16, number: u32, seed: u64, book: &Book, stop: &AtomicBool) {
    let mut random = Random::new(seed ^ u64::from(number) << 32);
    book.lock().tellers.entry(number).or_default();
    let Ok(mut client) = Client::connect(port) else {
        return;
    };
    for step in 1.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        match transaction(&mut client, number, step, &mut random, book) {
            Ok(()) => {}
            Err(Error::Sql(code, message)) => {
                refused(book, number, format!("{code}: {message}"));
                if client.query("rollback").is_err() {
                    return;
                }
            }
            Err(Error::Lost(_)) => return,
        }
    }
}

fn refused(book: &Book, number: u32, words: String) {
    let mut journal = book.lock();
    let client = journal.tellers.entry(number).or_default();
    *client.refused.entry(words).or_default() += 1;
}

fn transaction(
    client: &mut Client,
    number: u32,
    step: u64,
    random: &mut Random,
    book: &Book,
) -> Result<(), Error> {
    let aid = random.below(ACCOUNTS) + 1;
    let tid = random.below(TELLERS) + 1;
    let bid = random.below(BRANCHES) + 1;
    let delta = random.below(10_001) as i64 - 5000;
    client.query("begin")?;
    client.query(&format!(
        "update pgbench_accounts set abalance = abalance + {delta} where aid = {aid}"
    ))?;
    client.query(&format!(
        "select abalance from pgbench_accounts where aid = {aid}"
    ))?;
    client.query(&format!(
        "update pgbench_tellers set tbalance = tbalance + {delta} where tid = {tid}"
    ))?;
    client.query(&format!(
        "update pgbench_branches set bbalance = bbalance + {delta} where bid = {bid}"
    ))?;
    client.query(&format!(
        "insert into pgbench_history values \
         ({tid}, {bid}, {aid}, {delta}, current_timestamp, '{number}-{step}')"
    ))?;
    let sent = book.now();
    let index = {
        let mut journal = book.lock();
        let commits = &mut journal.tellers.entry(number).or_default().commits;
        commits.push(Commit {
            step,
            sent,
            acknowledged: None,
            tables: None,
        });
        commits.len() - 1
    };
    client.query("commit")?;
    let now = book.now();
    let mut journal = book.lock();
    let commits = &mut journal.tellers.entry(number).or_default().commits;
    commits[index].acknowledged = Some(now);
    Ok(())
}
