//! Statements that are no query: who carries them out.

use crate::reply::text_column;
use crate::run::{self, Tag, Target};
use crate::{
    constraints, copy, cursor, ddl, explain, maintain, ready, settings, tables, transaction,
};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use pg_plan::{Discard, OutputColumn, Utility};
use pg_types::{Datum, Oid, SqlError, SqlState};
use pg_wire_port::{Block, Body, Session, Severity, Statement};

/// Runs one. `params` are those of the protocol, for EXPLAIN and EXECUTE.
///
/// A dispatch table, so longer than a function should be.
pub fn run(
    session: &mut Session,
    utility: &Arc<Utility>,
    params: &[Datum],
    target: Target<'_>,
) -> Result<Tag, SqlError> {
    if session.block == Block::Failed && !matches!(**utility, Utility::Transaction(_)) {
        return Err(transaction::aborted());
    }
    refuse_read_only(session, utility)?;
    let usual = || Ok(Tag::Text(utility.tag(0)));
    match &**utility {
        Utility::Transaction(command) => {
            let other = transaction::command(session, command)?;
            settings::refresh(session);
            Ok(Tag::Text(
                other.map_or_else(|| utility.tag(0), ToString::to_string),
            ))
        }
        Utility::Set { .. }
        | Utility::Reset { .. }
        | Utility::Show { .. }
        | Utility::SetTransaction { .. } => {
            parameters(session, utility, target)?;
            usual()
        }
        Utility::Ddl(ddl) => {
            session.effects = true;
            ddl::run(session, ddl)?;
            usual()
        }
        Utility::CreateTableAs {
            table,
            plan,
            with_data,
        } => {
            session.effects = true;
            ddl::create_table_as(session, utility, table, plan, *with_data, params)
        }
        Utility::Copy(copy) => copy::begin(session, copy, target),
        Utility::Explain { statement, options } => {
            explain::run(session, statement, options, params, target)?;
            usual()
        }
        Utility::Prepare { name, types, sql } => {
            prepare(session, name, types, sql)?;
            usual()
        }
        Utility::Execute { name, args } => execute(session, name, args, target),
        Utility::Deallocate { name } => {
            deallocate(session, name.as_deref())?;
            usual()
        }
        Utility::Declare { .. } | Utility::Fetch { .. } | Utility::Close { .. } => {
            cursor::run(session, utility, params, target)
        }
        Utility::Vacuum { .. } | Utility::Analyze { .. } | Utility::Checkpoint => {
            session.effects = true;
            maintain::run(session, utility)?;
            usual()
        }
        Utility::Lock {
            tables,
            mode,
            nowait,
        } => {
            maintain::lock(session, tables, *mode, *nowait)?;
            usual()
        }
        Utility::SetConstraints { names, deferred } => {
            session.effects = true;
            constraints::set(session, names.as_deref(), *deferred)?;
            usual()
        }
        Utility::Discard(what) => {
            session.effects = true;
            discard(session, *what)?;
            usual()
        }
    }
}

/// A read-only transaction changes no schema and loads no rows.
fn refuse_read_only(session: &mut Session, utility: &Utility) -> Result<(), SqlError> {
    let command = match utility {
        Utility::Ddl(ddl) => ddl.tag(),
        Utility::CreateTableAs { .. } => "CREATE TABLE AS",
        Utility::Copy(_) if utility.wants_copy_data() => "COPY FROM",
        _ => return Ok(()),
    };
    transaction::ensure(session)?;
    match session.tx.as_ref().is_some_and(|tx| tx.is_read_only()) {
        true => Err(tables::read_only(command)),
        false => Ok(()),
    }
}

/// SET, RESET, SHOW and SET TRANSACTION.
fn parameters(
    session: &mut Session,
    utility: &Utility,
    target: Target<'_>,
) -> Result<(), SqlError> {
    match utility {
        Utility::Show { name } => return show(session, name.as_deref(), target),
        Utility::Set { name, value, local } => {
            if *local {
                outside_warning(session, "SET LOCAL");
            }
            settings::set(session, name, value.as_deref(), *local)?;
        }
        Utility::Reset { name: Some(name) } => settings::set(session, name, None, false)?,
        Utility::Reset { name: None } => settings::reset_all(session),
        Utility::SetTransaction {
            session: true,
            modes,
        } => transaction::set_session_modes(session, *modes)?,
        Utility::SetTransaction { modes, .. } => {
            outside_warning(session, "SET TRANSACTION");
            transaction::set_modes(session, *modes)?;
        }
        _ => {}
    }
    session.effects = true;
    without_transaction(session);
    Ok(())
}

/// A session's change outside any transaction is not undone by a later one.
fn without_transaction(session: &mut Session) {
    if session.block == Block::Idle {
        session.settings_before = None;
        if !session.settings.local.is_empty() {
            session.settings.local.clear();
            session.epoch += 1;
        }
    }
    settings::refresh(session);
}

/// A warning that a command does nothing outside a transaction block.
pub fn outside_warning(session: &mut Session, command: &str) {
    if session.block == Block::Idle {
        session.out.notice(
            Severity::Warning,
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            &format!("{command} can only be used in transaction blocks"),
        );
    }
}

/// The columns that a statement will return; none when it returns no rows.
pub fn columns(session: &Session, utility: &Utility) -> Option<Vec<OutputColumn>> {
    match utility {
        Utility::Show { name: Some(name) } => Some(vec![text_column(&shown_name(name))]),
        Utility::Show { name: None } => {
            Some(["name", "setting", "description"].map(text_column).into())
        }
        Utility::Explain { options, .. } => Some(explain::columns(options)),
        Utility::Execute { name, .. } => {
            let statement = session.statements.get(name)?;
            match &statement.ready.body {
                Body::Query(plan, _) if run::gives_rows(plan) => Some(plan.columns.clone()),
                _ => None,
            }
        }
        Utility::Fetch {
            name,
            move_only: false,
            ..
        } => cursor::columns(session, name),
        _ => None,
    }
}

fn shown_name(name: &str) -> String {
    settings::table::find(name).map_or_else(|| name.to_string(), |s| s.name.to_string())
}

fn show(session: &mut Session, name: Option<&str>, target: Target<'_>) -> Result<(), SqlError> {
    let (columns, rows) = match name {
        Some(name) => {
            let value = settings::show_in(session, name)?;
            let columns = vec![text_column(&shown_name(name))];
            (columns, vec![vec![Datum::from(&*value)]])
        }
        None => {
            let rows = settings::SETTINGS.iter().map(|s| {
                let value = settings::show_in(session, s.name).unwrap_or_default();
                vec![Datum::from(s.name), Datum::from(&*value), Datum::from("")]
            });
            let columns = ["name", "setting", "description"].map(text_column);
            (columns.into(), rows.collect())
        }
    };
    send_texts(session, &columns, &rows, target);
    Ok(())
}

/// Sends rows of texts, for which no transaction is needed.
pub fn send_texts(
    session: &mut Session,
    columns: &[OutputColumn],
    rows: &[Vec<Datum>],
    target: Target<'_>,
) {
    let out = &mut session.out;
    if target.describe {
        crate::reply::row_description(out, columns, target.formats);
    }
    for row in rows {
        out.begin(b'D');
        out.put_i16(row.len() as i16);
        for value in row {
            match value.as_str() {
                Some(text) => {
                    out.put_i32(text.len() as i32);
                    out.bytes().extend_from_slice(text.as_bytes());
                }
                None => out.put_i32(-1),
            }
        }
        out.end();
        out.flush_if_full();
    }
}

fn prepare(session: &mut Session, name: &str, types: &[Oid], sql: &str) -> Result<(), SqlError> {
    if session.statements.contains_key(name) {
        return Err(SqlError::new(
            SqlState::DUPLICATE_PSTATEMENT,
            format!("prepared statement \"{name}\" already exists"),
        ));
    }
    let ready = Arc::new(ready::plan_text(session, sql, types)?);
    let statement = Statement {
        sql: Arc::from(sql),
        declared: Arc::from(types),
        ready,
        from_sql: true,
        made: session.statement_start,
    };
    session.statements.insert(name, statement);
    Ok(())
}

/// 26000.
pub fn no_statement(name: &str) -> SqlError {
    let message = match name {
        "" => "unnamed prepared statement does not exist".to_string(),
        name => format!("prepared statement \"{name}\" does not exist"),
    };
    SqlError::new(SqlState::UNDEFINED_PSTATEMENT, message)
}

fn execute(
    session: &mut Session,
    name: &str,
    args: &[String],
    target: Target<'_>,
) -> Result<Tag, SqlError> {
    let found = session.statements.get(name).cloned();
    let statement = found.ok_or_else(|| no_statement(name))?;
    let expected = statement.ready.params.len();
    if expected != args.len() {
        return Err(SqlError::new(
            SqlState::SYNTAX_ERROR,
            format!("wrong number of parameters for prepared statement \"{name}\""),
        )
        .with_detail(format!(
            "Expected {expected} parameters but got {}.",
            args.len()
        )));
    }
    let params = match args {
        [] => Vec::new(),
        args => ready::arguments(session, args, &statement.ready.params)?,
    };
    let fit = match &statement.ready.body {
        Body::Query(..) => {
            let fit = ready::acquire(
                session,
                &statement.ready,
                &statement.sql,
                ready::Declared::Types(&statement.declared),
            )?;
            if let Some(kept) = session.statements.get_mut(name) {
                kept.ready = Arc::clone(&fit);
            }
            fit
        }
        _ => Arc::clone(&statement.ready),
    };
    run::statement(session, &fit, &params, target)
}

fn deallocate(session: &mut Session, name: Option<&str>) -> Result<(), SqlError> {
    match name {
        None => session.statements.clear(),
        Some(name) => {
            let gone = session.statements.remove(name);
            drop(gone.ok_or_else(|| no_statement(name))?);
        }
    }
    Ok(())
}

fn discard(session: &mut Session, what: Discard) -> Result<(), SqlError> {
    if what == Discard::All {
        transaction::only_outside(session, "DISCARD ALL")?;
        session.portals.clear();
        session.statements.clear();
        settings::reset_all(session);
        let advisory = session.advisory.get_mut();
        advisory
            .unlock_all()
            .map_err(pg_executor_port::errors::txn_error)?;
        without_transaction(session);
    }
    if matches!(what, Discard::All | Discard::Plans) {
        session.plans.clear();
    }
    if matches!(what, Discard::All | Discard::Sequences) {
        *session.sequences.borrow_mut() = pg_wire_port::SequenceMemory::default();
    }
    Ok(())
}
