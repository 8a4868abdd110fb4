//! The simple protocol: a text of any number of statements.

use crate::message::Body as Message;
use crate::ready::{Declared, acquire, has_plan, literals, parse, plan, plan_text};
use crate::run::{self, Tag, Target};
use crate::{fail, settings, transaction};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use pg_executor_port::errors::{port_error, txn_error};
use pg_parser_port::{Normalized, PARSER};
use pg_plan::Utility;
use pg_types::{Oid, SqlError};
use pg_wire_port::{Block, Body, Phase, Ready, Session, State, Step};

/// Longest text that is kept with its plan.
const KEPT_TEXT: usize = 2000;

/// Handles Query.
pub fn step(session: &mut Session, body: &[u8]) -> Step {
    let mut message = Message(body);
    let sql = match message.text().and_then(|sql| message.end().map(|()| sql)) {
        Ok(sql) => sql,
        Err(error) => {
            fail(session, &error);
            session.ready();
            return Step::Flush;
        }
    };
    begin(session, sql);
    let done = text(session, sql);
    end(session, done)
}

/// Notes that a statement begins.
pub fn begin(session: &mut Session, sql: &str) {
    session.entry.cancel.reset();
    if session.entry.is_terminated() {
        session.entry.cancel.cancel();
    }
    session.statement_start = pg_wire_port::now();
    session.entry.deadline(session.statement_timeout);
    let outside = session.is_idle();
    let mut activity = session.entry.activity.lock();
    activity.set_query(sql);
    activity.state = State::Active;
    if outside {
        activity.xact_start = session.statement_start;
    }
    activity.query_start = session.statement_start;
    activity.state_change = session.statement_start;
}

/// Notes that a statement runs that was parsed before.
pub fn begin_again(session: &mut Session, sql: &str) {
    if session.statement_start == 0 || session.is_idle() {
        session.statement_start = pg_wire_port::now();
    }
    session.entry.deadline(session.statement_timeout);
    let mut activity = session.entry.activity.lock();
    activity.set_query(sql);
    activity.state = State::Active;
}

/// The query's text is done, or has failed, or waits for the data of a COPY.
pub fn end(session: &mut Session, done: Result<(), SqlError>) -> Step {
    if let Err(error) = done {
        fail(session, &error);
    }
    if session.phase == Phase::CopyIn {
        return Step::Flush;
    }
    session.entry.deadline(0);
    // An unnamed statement does not outlive a simple query.
    if !session.statements.is_empty() {
        session.statements.remove("");
    }
    idle(session);
    Step::Flush
}

/// The session waits for the next command.
pub fn idle(session: &mut Session) {
    settings::refresh(session);
    if let (Block::Open, Some(tx)) = (session.block, &mut session.tx) {
        // Lost transactions say so at the next statement.
        let _ = tx.end_command();
    }
    session.ready();
}

/// Runs a text, the shortest way there is.
fn text(session: &mut Session, sql: &str) -> Result<(), SqlError> {
    settings::refresh(session);
    if let Some(ready) = session.plans.get(sql) {
        return cached(session, &ready, sql);
    }
    if session.block == Block::Failed {
        return rest(session, sql);
    }
    // The session's memory: it costs none of its own.
    let mut normalized = core::mem::take(&mut session.normalized);
    let done = match PARSER
        .enter()
        .map_err(port_error)?
        .normalize(sql, &mut normalized)
    {
        true => normal(session, sql, &normalized),
        false => rest(session, sql),
    };
    session.normalized = normalized;
    done
}

/// Runs a text whose literals were lifted out. When it cannot be planned like
/// that, or a literal is none of its parameter's type, the text as it is has the
/// error, or none.
fn normal(session: &mut Session, sql: &str, normalized: &Normalized) -> Result<(), SqlError> {
    let key = &normalized.key;
    let declared = Declared::Literals(&normalized.literals);
    let ready = match session.plans.get(key) {
        // Its literals are better left where they are.
        Some(ready) if matches!(ready.body, Body::Empty) => return rest(session, sql),
        Some(ready) => ready,
        None => match first(session, key, &declared.types()) {
            Some(ready) => ready,
            None => return rest(session, sql),
        },
    };
    let mut params = core::mem::take(&mut session.values);
    params.clear();
    if literals(session, &ready, &normalized.literals, &mut params).is_err() {
        return rest(session, sql);
    }
    let fit = acquire(session, &ready, key, declared)?;
    if !Arc::ptr_eq(&fit, &ready) {
        if fit.params != ready.params {
            // Planned anew, the literals may mean something else.
            session.plans.clear();
            return rest(session, sql);
        }
        session.plans.put(key.clone(), Arc::clone(&fit));
    }
    let tag = run::statement(session, &fit, &params, Target::SIMPLE)?;
    params.clear();
    session.values = params;
    complete(session, &tag)
}

/// The plan of a text with literals lifted out that this session meets for the
/// first time.
fn first(session: &mut Session, key: &str, types: &[Oid]) -> Option<Arc<Ready>> {
    let ready = plan_text(session, key, types).ok()?;
    if ready.params.len() != types.len() || !matches!(ready.body, Body::Query(..)) {
        return None;
    }
    if let Body::Query(plan, _) = &ready.body
        && plan.wants_values
    {
        let none = Arc::new(crate::ready::empty());
        session.plans.put(key.to_string(), none);
        return None;
    }
    let ready = Arc::new(ready);
    session.plans.put(key.to_string(), Arc::clone(&ready));
    Some(ready)
}

/// Runs a statement without literals whose plan was kept.
fn cached(session: &mut Session, ready: &Arc<Ready>, sql: &str) -> Result<(), SqlError> {
    let fit = match &ready.body {
        Body::Query(..) => acquire(session, ready, sql, Declared::Types(&[]))?,
        _ => Arc::clone(ready),
    };
    if !Arc::ptr_eq(&fit, ready) {
        session.plans.put(sql.to_string(), Arc::clone(&fit));
    }
    let tag = run::statement(session, &fit, &[], Target::SIMPLE)?;
    complete(session, &tag)
}

/// The last statement of a text is done: commit, then say so.
fn complete(session: &mut Session, tag: &Tag) -> Result<(), SqlError> {
    if session.phase == Phase::CopyIn {
        return Ok(());
    }
    transaction::finish(session)?;
    settings::refresh(session);
    tag.send(&mut session.out);
    Ok(())
}

/// Parses and runs what is left of a text.
pub fn rest(session: &mut Session, sql: &str) -> Result<(), SqlError> {
    let parsed = parse(sql)?;
    let Some(last) = parsed.len().checked_sub(1) else {
        transaction::finish(session)?;
        session.out.empty(b'I');
        return Ok(());
    };
    for (at, one) in parsed.iter().enumerate() {
        let ready = Arc::new(plan(session, &one.statement, &[])?);
        let text = sql.get(one.start..one.end).unwrap_or(sql);
        let ready = match has_plan(&ready) {
            true => acquire(session, &ready, text, Declared::Types(&[]))?,
            false => ready,
        };
        if last == 0 {
            keep(session, sql, &ready);
        }
        let tag = run::statement(session, &ready, &[], Target::SIMPLE)?;
        if session.phase == Phase::CopyIn {
            if let (Some(copy), Some(rest)) = (&mut session.copy, sql.get(one.end..)) {
                copy.rest =
                    String::from(rest.trim_start_matches(|c: char| c == ';' || c.is_whitespace()));
            }
            return Ok(());
        }
        if at == last {
            complete(session, &tag)?;
            break;
        }
        tag.send(&mut session.out);
        // The next statement takes a snapshot of its own; until then none is in
        // the way of pruning.
        if let Some(tx) = &mut session.tx {
            tx.end_command().map_err(txn_error)?;
        }
    }
    Ok(())
}

/// Keeps the plan of a text without literals.
fn keep(session: &mut Session, sql: &str, ready: &Arc<Ready>) {
    let lasting = match &ready.body {
        Body::Query(..) => true,
        Body::Utility(utility) => matches!(**utility, Utility::Transaction(_)),
        Body::Empty => false,
    };
    if lasting && sql.len() <= KEPT_TEXT && ready.params.is_empty() {
        session.plans.put(sql.to_string(), Arc::clone(ready));
    }
}
