//! PostgreSQL's protocol, version 3, and what a session does with it.
//!
//! - `message`, `reply`, `rows`: bytes of messages in and out;
//! - `startup`: the first packet; `simple`, `extended`, `copy`: the ways in
//!   which statements come;
//! - `ready`: text to a planned statement, with the caches; `run`: running it;
//!   `transaction`: what is around it;
//! - `utility` and its parts: statements that are no query; `autovacuum`: what is
//!   to be vacuumed without being asked;
//! - `settings`: the table of parameters; `eval`: the session as functions see
//!   it; `advisory`: locks by functions; `views`: the session as built-in views show it.
//!
//! The cell has no state: all of it is in `pg_wire_port::Session`.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod activity;
mod advisory;
mod autovacuum;
mod concurrently;
mod constraints;
mod copy;
mod cursor;
mod ddl;
mod eval;
mod explain;
mod extended;
mod maintain;
mod message;
mod ready;
mod reply;
mod rows;
mod run;
mod settings;
mod simple;
mod startup;
mod tables;
mod transaction;
mod utility;
mod views;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use pg_types::{SqlError, SqlState};
use pg_wire_port::{Due, Phase, Session, Severity, Step, WIRE, Wire};
use port::{Birth, BirthError, Component, CrashKind};

/// The cell.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_wire_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let most = birth.options().number("max_connections");
    pg_wire_port::set_limit(most.unwrap_or(pg_wire_port::MOST).clamp(1, 262_143));
    birth.provide(&WIRE, Box::new(Protocol) as Box<dyn Wire>);
    Ok(())
}

/// What stands behind the port.
struct Protocol;

impl Component for Protocol {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Wire for Protocol {
    fn step(&self, session: &mut Session, tag: u8, body: &[u8]) -> Step {
        match session.phase {
            Phase::Startup => startup::step(session, body),
            Phase::CopyIn => copy::step(session, tag, body),
            Phase::Ready => command(session, tag, body),
        }
    }

    fn vacuum_pause(&self) -> Option<u64> {
        autovacuum::pause()
    }

    fn vacuum_due(&self, session: &mut Session) -> Vec<Due> {
        autovacuum::due(session)
    }

    fn vacuum(&self, session: &mut Session, due: &Due) {
        autovacuum::run(session, due);
    }
}

/// A message outside COPY.
fn command(session: &mut Session, tag: u8, body: &[u8]) -> Step {
    if session.skip && !matches!(tag, b'S' | b'X') {
        return Step::Continue;
    }
    match tag {
        b'Q' => simple::step(session, body),
        b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'S' => extended::step(session, tag, body),
        b'X' => Step::Close,
        // What is left of a COPY that has failed already.
        b'd' | b'c' | b'f' => Step::Continue,
        b'F' => {
            let error = SqlError::unsupported("the function call protocol");
            fail(session, &error);
            session.ready();
            Step::Flush
        }
        _ => violation(
            session,
            &alloc::format!("invalid frontend message type {tag}"),
        ),
    }
}

/// The client does not speak the protocol: the connection ends.
fn violation(session: &mut Session, message: &str) -> Step {
    let error = SqlError::new(SqlState::PROTOCOL_VIOLATION, message);
    session.out.report(Severity::Fatal, error.fields());
    Step::Close
}

/// A statement has failed.
fn fail(session: &mut Session, error: &SqlError) {
    if session.entry.is_terminated() && error.code() == SqlState::QUERY_CANCELED {
        // The client is told why once the message is done.
        session.fail_transaction();
        return;
    }
    let late = session.entry.timed_out.swap(false, Ordering::SeqCst);
    if late && error.code() == SqlState::QUERY_CANCELED {
        let message = "canceling statement due to statement timeout";
        let error = SqlError::new(SqlState::QUERY_CANCELED, message);
        session.out.report(Severity::Error, error.fields());
    } else {
        session.out.report(Severity::Error, error.fields());
    }
    session.fail_transaction();
}
