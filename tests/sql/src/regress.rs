//! Scripts of statements with what PostgreSQL answers to them: `regress/NAME.sql`,
//! and recorded beside it `NAME.out`. A statement ends with a semicolon at the end
//! of a line; `@NAME` on a line of its own goes on in the session of that name.
//! Of EXPLAIN only the expected rows are printed. Each script runs in a schema of
//! its own.

use isolation::client::{Answer, Client};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a script prints on the server at a port of the loopback.
///
/// # Panics
/// When the connection breaks.
#[must_use]
pub fn run(script: &str, port: u16) -> String {
    let mut sessions = BTreeMap::new();
    let mut now = String::from("main");
    let mut out = String::new();
    let mut statement = String::new();
    open(&mut sessions, &now, port);
    silently(&mut sessions, &now, "DROP SCHEMA IF EXISTS regress CASCADE");
    silently(&mut sessions, &now, "CREATE SCHEMA regress");
    for line in script.lines() {
        if let Some(name) = line.strip_prefix('@') {
            now = name.to_string();
            open(&mut sessions, &now, port);
            writeln!(out, "{line}").expect("memory");
            continue;
        }
        let comment = line.starts_with("--") || line.trim().is_empty();
        if statement.is_empty() && comment {
            continue;
        }
        if !statement.is_empty() {
            statement.push('\n');
        }
        statement.push_str(line);
        if line.trim_end().ends_with(';') {
            for line in statement.lines() {
                writeln!(out, "> {line}").expect("memory");
            }
            let session = sessions.get_mut(&now).expect("a session");
            let answer = session.query(&statement).expect("an answer");
            match statement.starts_with("EXPLAIN") {
                true => estimate(&answer, &mut out),
                false => show(&answer, &mut out),
            }
            statement.clear();
        }
    }
    assert!(statement.is_empty(), "{statement} has no end");
    sessions.retain(|name, _| name == "main");
    silently(&mut sessions, "main", "ROLLBACK");
    silently(&mut sessions, "main", "DROP SCHEMA regress CASCADE");
    out
}

type Sessions = BTreeMap<String, Client>;

fn open(sessions: &mut Sessions, name: &str, port: u16) {
    if !sessions.contains_key(name) {
        let session = Client::connect(port).expect("a server");
        sessions.insert(name.to_string(), session);
        silently(sessions, name, "SET search_path = regress");
    }
}

fn silently(sessions: &mut Sessions, name: &str, sql: &str) {
    let session = sessions.get_mut(name).expect("a session");
    let answer = session.query(sql).expect("an answer");
    assert_eq!(answer.error, None, "{sql}");
}

/// Of a plan only how many rows are expected.
fn estimate(answer: &Answer, out: &mut String) {
    let lines = answer.lines();
    let first = lines.first().map_or("", String::as_str);
    let rows = first.split("rows=").nth(1).unwrap_or("");
    let rows = rows.split(' ').next().unwrap_or("");
    writeln!(out, "rows={rows}").expect("memory");
}

fn show(answer: &Answer, out: &mut String) {
    for line in answer.lines() {
        writeln!(out, "{line}").expect("memory");
    }
    for tag in &answer.tags {
        writeln!(out, "{tag}").expect("memory");
    }
    if let Some(error) = &answer.error {
        writeln!(out, "ERROR {}: {}", error.code, error.message).expect("memory");
        for (name, text) in [("DETAIL", &error.detail), ("HINT", &error.hint)] {
            if !text.is_empty() {
                writeln!(out, "{name}: {text}").expect("memory");
            }
        }
    }
}
