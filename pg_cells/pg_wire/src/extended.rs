//! The extended protocol: Parse, Bind, Describe, Execute, Close, Flush, Sync.

use crate::message::{Body as Message, malformed};
use crate::ready::{Declared, has_plan, hold, plan_text, start_command};
use crate::reply::{self, BINARY, format_of};
use crate::run::{self, Target};
use crate::transaction::aborted;
use crate::utility::{self, no_statement};
use crate::{fail, settings, simple, transaction};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_executor_port::Progress;
use pg_plan::{OutputColumn, Utility};
use pg_types::{Datum, SqlError, SqlState};
use pg_wire_port::{Block, Body, Phase, Portal, Ready, Session, Statement, Step};

/// Handles one of its messages. After an error everything up to Sync is skipped.
pub fn step(session: &mut Session, tag: u8, body: &[u8]) -> Step {
    if tag == b'S' {
        return sync(session);
    }
    let message = Message(body);
    let done = match tag {
        b'P' => parse(session, message),
        b'B' => bind(session, message),
        b'D' => describe(session, message),
        b'E' => execute(session, message),
        b'C' => close(session, message),
        _ => return Step::Flush,
    };
    if let Err(error) = done {
        fail(session, &error);
        session.skip = true;
    }
    match session.phase {
        Phase::CopyIn => Step::Flush,
        _ => Step::Continue,
    }
}

/// The end of a pipeline: what no block keeps open is committed.
fn sync(session: &mut Session) -> Step {
    session.skip = false;
    if let Err(error) = transaction::finish(session) {
        fail(session, &error);
    }
    session.entry.deadline(0);
    simple::idle(session);
    Step::Flush
}

fn parse(session: &mut Session, mut message: Message<'_>) -> Result<(), SqlError> {
    let name = message.text()?;
    let sql = message.text()?;
    let count = message.count(4)?;
    let mut declared = Vec::with_capacity(count);
    for _ in 0..count {
        declared.push(message.i32()?.cast_unsigned());
    }
    message.end()?;
    simple::begin(session, sql);
    settings::refresh(session);
    if !name.is_empty() && session.statements.contains_key(name) {
        return Err(SqlError::new(
            SqlState::DUPLICATE_PSTATEMENT,
            format!("prepared statement \"{name}\" already exists"),
        ));
    }
    let ready = plan_text(session, sql, &declared)?;
    if let Some(at) = ready.params.iter().position(|t| *t == 0) {
        return Err(SqlError::new(
            SqlState::INDETERMINATE_DATATYPE,
            format!("could not determine data type of parameter ${}", at + 1),
        ));
    }
    let statement = Statement {
        sql: Arc::from(sql),
        declared: declared.into(),
        ready: Arc::new(ready),
        from_sql: false,
        made: session.statement_start,
    };
    session.statements.insert(name, statement);
    session.out.empty(b'1');
    Ok(())
}

fn bind(session: &mut Session, mut message: Message<'_>) -> Result<(), SqlError> {
    let portal = message.text()?;
    let name = message.text()?;
    let count = message.count(2)?;
    let formats = format_codes(&mut message, count)?;
    let (sql, ready) = current(session, name)?;
    let params = parameters(session, &mut message, &formats, &ready, name)?;
    let count = message.count(2)?;
    let wanted = format_codes(&mut message, count)?;
    message.end()?;
    if session.block == Block::Failed && !ends_transaction(&ready) {
        return Err(aborted());
    }
    if !portal.is_empty() && session.portals.contains_key(portal) {
        return Err(SqlError::new(
            SqlState::DUPLICATE_CURSOR,
            format!("cursor \"{portal}\" already exists"),
        ));
    }
    let bound = Portal {
        sql,
        ready,
        params,
        formats: wanted,
        query: None,
        started: false,
        done: false,
        rows: None,
        at: 0,
        cursor: None,
        hold: false,
        scroll: false,
        made: session.statement_start,
    };
    session.portals.insert(portal, bound);
    session.out.empty(b'2');
    Ok(())
}

/// A prepared statement, planned anew if its plan does not hold any more.
fn current(session: &mut Session, name: &str) -> Result<(Arc<str>, Arc<Ready>), SqlError> {
    let found = session.statements.get(name);
    let statement = found.ok_or_else(|| no_statement(name))?;
    let sql = Arc::clone(&statement.sql);
    let ready = Arc::clone(&statement.ready);
    if !matches!(ready.body, Body::Query(..)) || session.block == Block::Failed {
        return Ok((sql, ready));
    }
    let declared = Arc::clone(&statement.declared);
    let fit = hold(session, &ready, &sql, Declared::Types(&declared))?;
    if !Arc::ptr_eq(&fit, &ready) {
        let same = match (&fit.body, &ready.body) {
            (Body::Query(new, _), Body::Query(old, _)) => same_columns(&new.columns, &old.columns),
            _ => false,
        };
        if !same {
            return Err(changed_rows());
        }
        if let Some(statement) = session.statements.get_mut(name) {
            statement.ready = Arc::clone(&fit);
        }
    }
    Ok((sql, fit))
}

/// 0A000: clients keep the description of a statement's rows.
#[cold]
fn changed_rows() -> SqlError {
    SqlError::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        "cached plan must not change result type",
    )
}

fn same_columns(a: &[OutputColumn], b: &[OutputColumn]) -> bool {
    let same = |(x, y): (&OutputColumn, &OutputColumn)| {
        x.type_oid == y.type_oid && x.typmod == y.typmod && x.name == y.name
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

fn format(code: i16) -> Result<i16, SqlError> {
    match code {
        0 | 1 => Ok(code),
        other => Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("unsupported format code: {other}"),
        )),
    }
}

/// Reads so many format codes. None are as good as one that says text, and cost
/// no memory.
fn format_codes(message: &mut Message<'_>, count: usize) -> Result<Arc<[i16]>, SqlError> {
    if count == 1 {
        return Ok(match format(message.i16()?)? {
            reply::TEXT => Arc::default(),
            code => Arc::from([code]),
        });
    }
    (0..count).map(|_| format(message.i16()?)).collect()
}

/// Reads the values of the parameters.
fn parameters(
    session: &mut Session,
    message: &mut Message<'_>,
    formats: &[i16],
    ready: &Ready,
    name: &str,
) -> Result<Arc<[Datum]>, SqlError> {
    let count = message.count(4)?;
    if formats.len() > 1 && formats.len() != count {
        return Err(SqlError::new(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "bind message has {} parameter formats but {count} parameters",
                formats.len()
            ),
        ));
    }
    if count != ready.params.len() {
        return Err(SqlError::new(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "bind message supplies {count} parameters, but prepared statement \"{name}\" requires {}",
                ready.params.len()
            ),
        ));
    }
    if count == 0 {
        return Ok(Arc::default());
    }
    // The session's memory: it costs none of its own.
    let mut values = core::mem::take(&mut session.values);
    values.clear();
    for (at, type_oid) in ready.params.iter().enumerate() {
        let length = message.i32()?;
        if length == -1 {
            values.push(Datum::Null);
            continue;
        }
        let bytes = message.bytes(usize::try_from(length).map_err(|_| malformed())?)?;
        let value = if format_of(formats, at) == BINARY {
            pg_types::wire::receive(*type_oid, -1, bytes)
        } else if let Some(number) = pg_types::plain_int(*type_oid, bytes) {
            Ok(number)
        } else {
            let text = pg_types::wire::text(bytes)?;
            crate::ready::read(session, *type_oid, &text)
        };
        values.push(value.map_err(|error| in_parameter(error, at + 1))?);
    }
    let params = values.drain(..).collect();
    session.values = values;
    Ok(params)
}

#[cold]
fn in_parameter(error: SqlError, number: usize) -> SqlError {
    match error.fields().context {
        Some(_) => error,
        None => error.with_context(format!("unnamed portal parameter ${number}")),
    }
}

fn ends_transaction(ready: &Ready) -> bool {
    match &ready.body {
        Body::Utility(utility) => matches!(**utility, Utility::Transaction(_)),
        Body::Empty => true,
        Body::Query(..) => false,
    }
}

/// 34000.
fn no_portal(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_CURSOR,
        format!("portal \"{name}\" does not exist"),
    )
}

fn describe(session: &mut Session, mut message: Message<'_>) -> Result<(), SqlError> {
    let kind = message.byte()?;
    let name = message.text()?;
    message.end()?;
    match kind {
        b'S' => {
            let found = session.statements.get(name);
            let statement = found.ok_or_else(|| no_statement(name))?;
            let ready = Arc::clone(&statement.ready);
            reply::parameter_description(&mut session.out, &ready.params);
            describe_rows(session, &ready, &[]);
        }
        b'P' => {
            let found = session.portals.get(name);
            let portal = found.ok_or_else(|| no_portal(name))?;
            let (ready, formats) = (Arc::clone(&portal.ready), portal.formats.clone());
            describe_rows(session, &ready, &formats);
        }
        _ => return Err(malformed()),
    }
    Ok(())
}

fn describe_rows(session: &mut Session, ready: &Ready, formats: &[i16]) {
    match &ready.body {
        Body::Query(plan, _) => match run::gives_rows(plan) {
            true => reply::describe(&mut session.out, ready, &plan.columns, formats),
            false => session.out.empty(b'n'),
        },
        Body::Utility(utility) => {
            let columns = utility::columns(session, utility);
            reply::description(&mut session.out, columns.as_deref(), formats);
        }
        Body::Empty => session.out.empty(b'n'),
    }
}

fn execute(session: &mut Session, mut message: Message<'_>) -> Result<(), SqlError> {
    let name = message.text()?;
    let most = u64::try_from(message.i32()?).unwrap_or(0);
    message.end()?;
    let portal = session.portals.get(name).ok_or_else(|| no_portal(name))?;
    let ready = Arc::clone(&portal.ready);
    if !portal.started {
        let sql = Arc::clone(&portal.sql);
        simple::begin_again(session, &sql);
    }
    if session.block == Block::Failed && !ends_transaction(&ready) {
        return Err(aborted());
    }
    match &ready.body {
        Body::Query(..) => run_query(session, name, &ready, most),
        _ => run_other(session, name, &ready),
    }
}

/// Runs a portal's query on. The portal stays where it is, so that a message
/// which a fault has ended can be handled again.
fn run_query(session: &mut Session, name: &str, ready: &Ready, most: u64) -> Result<(), SqlError> {
    let Body::Query(plan, prepared) = &ready.body else {
        return Ok(());
    };
    session.effects |= !ready.reads_only;
    let Some(portal) = session.portals.get_mut(name) else {
        return Err(no_portal(name));
    };
    if portal.done {
        // It has said so already; there is nothing more.
        run::tag(plan, Progress::default()).send(&mut session.out);
        return Ok(());
    }
    let (params, formats) = (Arc::clone(&portal.params), Arc::clone(&portal.formats));
    let mut query = match portal.query.take() {
        Some(query) => query,
        None if portal.started => return Err(cannot_run("portal cannot be run")),
        None => {
            start_command(session)?;
            prepared.start()?
        }
    };
    let progress = run::batch(session, &mut query, plan, &params, &formats, most)?;
    let done = progress.done || most == 0;
    if let Some(portal) = session.portals.get_mut(name) {
        portal.started = true;
        portal.done = done;
        portal.at += progress.rows;
        portal.query = (!done).then_some(query);
    }
    match done {
        true => run::tag(plan, progress).send(&mut session.out),
        false => session.out.empty(b's'),
    }
    Ok(())
}

/// 55000.
#[cold]
fn cannot_run(message: &str) -> SqlError {
    SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
}

/// A statement that is no query: it runs whole; its rows are few.
fn run_other(session: &mut Session, name: &str, ready: &Arc<Ready>) -> Result<(), SqlError> {
    let Some(portal) = session.portals.get_mut(name) else {
        return Err(no_portal(name));
    };
    if portal.started {
        return Err(cannot_run("portal cannot be run again"));
    }
    let (params, formats) = (Arc::clone(&portal.params), Arc::clone(&portal.formats));
    let sql = Arc::clone(&portal.sql);
    let target = Target {
        describe: false,
        formats: &formats,
        extended: true,
    };
    let fit = match has_plan(ready) {
        true => hold(session, ready, &sql, Declared::Types(&ready.params))?,
        false => Arc::clone(ready),
    };
    let tag = run::statement(session, &fit, &params, target)?;
    // The end of a transaction closes its portals, this one among them.
    if let Some(portal) = session.portals.get_mut(name) {
        portal.started = true;
    }
    settings::refresh(session);
    tag.send(&mut session.out);
    Ok(())
}

fn close(session: &mut Session, mut message: Message<'_>) -> Result<(), SqlError> {
    let kind = message.byte()?;
    let name = message.text()?;
    message.end()?;
    match kind {
        b'S' => drop(session.statements.remove(name)),
        b'P' => drop(session.portals.remove(name)),
        _ => return Err(malformed()),
    }
    session.out.empty(b'3');
    Ok(())
}
