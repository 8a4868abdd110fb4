//! What is done beside TPC-B, a round at a time. A round leaves nothing behind, and
//! knows every answer it asks for.

use std::time::Duration;

use super::super::sums::Sums;
use super::crew::{Desk, Trouble};

/// A round of work.
pub(super) type Job = fn(&mut Desk) -> Result<(), Trouble>;

/// Who does it, how many there are of them, and what.
pub(super) const JOBS: &[(&str, usize, Job)] = &[
    ("readers", 2, read),
    ("schema", 2, schema),
    ("vacuum", 1, vacuum),
    ("copy", 1, copy),
    ("sorts", 1, sort),
];

/// A transaction that looks for some seconds: what it sees agrees, and stays.
fn read(desk: &mut Desk) -> Result<(), Trouble> {
    desk.run("begin isolation level repeatable read")?;
    desk.session.allow(Duration::from_secs(300));
    let first = Sums::ask_in(&mut desk.session)?;
    if !first.agree() {
        return Err(Trouble::Wrong(format!("within a snapshot: {first}")));
    }
    for _ in 0..desk.random.below(3) {
        desk.wait(Duration::from_secs(1 + desk.number as u64));
        desk.session.allow(Duration::from_secs(300));
        let now = Sums::ask_in(&mut desk.session)?;
        if now != first {
            let what = format!("a snapshot has changed: {first}, then {now}");
            return Err(Trouble::Wrong(what));
        }
    }
    desk.run("commit")
}

/// Cleans up after the others.
fn vacuum(desk: &mut Desk) -> Result<(), Trouble> {
    let tables = ["accounts", "branches", "tellers", "history"];
    let table = *desk.random.pick(&tables);
    let analyze = *desk.random.pick(&["", "analyze "]);
    desk.run(&format!("vacuum {analyze}pgbench_{table}"))?;
    desk.wait(Duration::from_secs(1));
    Ok(())
}

/// A table's life: made, filled, indexed, changed, emptied, dropped, and each once
/// more in a transaction that is rolled back.
fn schema(desk: &mut Desk) -> Result<(), Trouble> {
    let table = format!("soak_schema_{}", desk.number);
    let rows = 200 + desk.random.below(2000) as i64;
    let sum: i64 = (1..=rows).map(|g| g % 97).sum();
    desk.run(&format!(
        "create table {table} (id int primary key, k int, t text); \
         insert into {table} select g, g % 97, md5(g::text) from generate_series(1, {rows}) g; \
         create index {table}_k on {table} (k)"
    ))?;
    let all = format!("select count(*), sum(k) from {table}");
    let some = format!("select count(*) from {table} where k = 13");
    let thirteens = (1..=rows).filter(|g| g % 97 == 13).count() as i64;
    desk.expect(&all, &[rows, sum])?;
    desk.expect(&some, &[thirteens])?;
    let in_vain = [
        format!("alter table {table} add column v int default 5; update {table} set v = 6"),
        format!("truncate {table}; insert into {table} values (1, 1, 'one')"),
        format!("drop index {table}_k; create index {table}_t on {table} (t)"),
        format!("drop table {table}; create table {table} (other text)"),
        format!("create table {table}_new as select * from {table}"),
    ];
    for change in in_vain {
        desk.run(&format!("begin; {change}; rollback"))?;
        desk.expect(&all, &[rows, sum])?;
        desk.expect(&some, &[thirteens])?;
    }
    desk.run(&format!(
        "begin; alter table {table} add column v int default 5; \
         delete from {table} where id % 2 = 0; commit"
    ))?;
    let odd = (rows + 1) / 2;
    desk.expect(
        &format!("select count(*), sum(v) from {table}"),
        &[odd, 5 * odd],
    )?;
    desk.run(&format!("vacuum {table}; "))?;
    desk.run(&format!("truncate {table}"))?;
    desk.expect(&format!("select count(*) from {table}"), &[0])?;
    desk.run(&format!("drop table {table}"))
}

/// Rows in and out as text, kept or rolled back.
fn copy(desk: &mut Desk) -> Result<(), Trouble> {
    let table = format!("soak_copy_{}", desk.number);
    let rows = 1000 + desk.random.below(9000) as i64;
    let lines = (1..=rows).map(|id| format!("{id}\t{}\tfiller {id:012}\n", id % 1000));
    let data: String = lines.collect();
    let sum: i64 = (1..=rows).map(|id| id % 1000).sum();
    desk.run(&format!(
        "create table {table} (id int primary key, k int, v text)"
    ))?;
    let from = format!("copy {table} from stdin");
    let all = format!("select count(*), coalesce(sum(k), 0) from {table}");
    desk.run("begin")?;
    desk.session.copy_in(&from, data.as_bytes())?;
    desk.expect(&all, &[rows, sum])?;
    desk.run("rollback")?;
    desk.expect(&all, &[0, 0])?;
    desk.session.copy_in(&from, data.as_bytes())?;
    desk.expect(&all, &[rows, sum])?;
    let query = format!("copy (select * from {table} order by id) to stdout");
    let out = desk.session.copy_out(&query)?;
    if !out.iter().map(String::as_str).eq(data.lines()) {
        let what = format!("{query}: {} lines, not those of {rows} rows", out.len());
        return Err(Trouble::Wrong(what));
    }
    desk.run(&format!("drop table {table}"))
}

/// Sorts more than it may keep in memory, and gives it up half-way now and then.
fn sort(desk: &mut Desk) -> Result<(), Trouble> {
    let rows = 10_000 + desk.random.below(10_000) as i64;
    desk.run("set work_mem = '64kB'")?;
    let all = format!("select g from generate_series(1, {rows}) g order by md5(g::text)");
    desk.expect(
        &format!("select count(*), sum(g) from ({all}) s"),
        &[rows, rows * (rows + 1) / 2],
    )?;
    desk.run(&format!(
        "begin; declare half cursor for {all}; fetch 100 from half; rollback"
    ))
}
