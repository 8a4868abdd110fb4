//! DECLARE, FETCH, MOVE and CLOSE.
//!
//! A cursor is a portal. One that was declared SCROLL, or that outlives its
//! transaction, keeps its rows; any other runs forward as it is fetched from.

use crate::ready::{query_ready, start_command, start_plan};
use crate::run::{self, Tag, Target};
use crate::transaction::only_inside;
use crate::{reply, utility};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_builtins::EvalContext;
use pg_executor_port::RowSink;
use pg_plan::{FetchDirection, OutputColumn, Plan, Utility};
use pg_types::{Datum, SqlError, SqlState};
use pg_wire_port::{Block, Body, Portal, Session};

/// Runs one of the four.
pub fn run(
    session: &mut Session,
    command: &Arc<Utility>,
    params: &[Datum],
    target: Target<'_>,
) -> Result<Tag, SqlError> {
    match &**command {
        Utility::Declare { .. } => declare(session, command, params),
        Utility::Fetch {
            name,
            direction,
            move_only,
        } => {
            session.effects = true;
            let rows = fetch(session, name, *direction, *move_only, target)?;
            Ok(Tag::Rows(if *move_only { "MOVE " } else { "FETCH " }, rows))
        }
        Utility::Close { name: None } => {
            session.portals.retain(|_, p| p.cursor.is_none());
            Ok(Tag::Text(command.tag(0)))
        }
        Utility::Close { name: Some(name) } => {
            let gone = session.portals.remove(name);
            drop(gone.ok_or_else(|| no_cursor(name))?);
            Ok(Tag::Text(command.tag(0)))
        }
        _ => Err(SqlError::internal("not a cursor's command")),
    }
}

/// 34000.
fn no_cursor(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_CURSOR,
        format!("cursor \"{name}\" does not exist"),
    )
}

fn declare(session: &mut Session, command: &Utility, params: &[Datum]) -> Result<Tag, SqlError> {
    let Utility::Declare {
        name,
        plan,
        hold,
        scroll,
        binary,
    } = command
    else {
        return Err(SqlError::internal("not DECLARE"));
    };
    if !hold && session.block != Block::Open {
        return Err(only_inside("DECLARE CURSOR"));
    }
    if session.portals.contains_key(name) {
        return Err(SqlError::new(
            SqlState::DUPLICATE_CURSOR,
            format!("cursor \"{name}\" already exists"),
        ));
    }
    session.effects = true;
    start_plan(session, plan)?;
    let ready = Arc::new(query_ready(Arc::new(plan.clone()), session.plan_epoch)?);
    let Body::Query(_, prepared) = &ready.body else {
        return Err(SqlError::internal("a cursor without a plan"));
    };
    let query = prepared.start()?;
    let shown = session.entry.activity.lock().query.clone();
    let mut portal = Portal {
        sql: Arc::from(shown.as_str()),
        params: Arc::from(params),
        formats: if *binary {
            Arc::from([reply::BINARY])
        } else {
            Arc::default()
        },
        query: Some(query),
        started: true,
        done: false,
        rows: None,
        at: 0,
        cursor: Some(name.clone()),
        hold: *hold,
        scroll: *scroll == Some(true),
        made: session.statement_start,
        ready: Arc::clone(&ready),
    };
    // Its snapshot is that of its declaration, so it begins to run here.
    if portal.scroll {
        materialize(session, &mut portal)?;
    }
    session.portals.insert(name, portal);
    Ok(Tag::Text(command.tag(0)))
}

/// Runs a cursor to its end and keeps its rows.
fn materialize(session: &mut Session, portal: &mut Portal) -> Result<(), SqlError> {
    if portal.rows.is_some() {
        return Ok(());
    }
    let mut rows: Vec<Vec<Datum>> = Vec::new();
    if let Some(mut query) = portal.query.take() {
        run::batch_into(session, &mut query, &portal.params, 0, &mut rows)?;
    }
    portal.rows = Some(rows);
    Ok(())
}

/// Before a commit: cursors that outlive it take their rows along.
pub fn hold(session: &mut Session) -> Result<(), SqlError> {
    if session.portals.is_empty() {
        return Ok(());
    }
    let waiting = |p: &Portal| p.hold && p.rows.is_none();
    let names: Vec<String> = session
        .portals
        .iter()
        .filter(|(_, p)| waiting(p))
        .map(|(n, _)| n.to_string())
        .collect();
    for name in names {
        if let Some(mut portal) = session.portals.remove(&name) {
            let before = portal.at;
            materialize(session, &mut portal)?;
            if let Some(rows) = &mut portal.rows
                && before > 0
            {
                // What was fetched already is gone; it cannot be gone back to.
                let gone = usize::try_from(before).unwrap_or(usize::MAX);
                rows.splice(0..0, (0..gone).map(|_| Vec::new()));
            }
            session.portals.insert(&name, portal);
        }
    }
    Ok(())
}

/// The columns of a cursor.
pub fn columns(session: &Session, name: &str) -> Option<Vec<OutputColumn>> {
    let portal = session.portals.get(name)?;
    match &portal.ready.body {
        Body::Query(plan, _) => Some(plan.columns.clone()),
        Body::Utility(utility) => utility::columns(session, utility),
        Body::Empty => None,
    }
}

/// Which rows are wanted, from the cursor's place on.
enum Wanted {
    /// The next ones.
    Forward(u64),
    /// Those before, nearest first.
    Backward(u64),
    /// The one at this place, from one; 0 is before the first.
    At(u64),
    /// The one at this place from the end.
    FromEnd(u64),
}

fn wanted(direction: FetchDirection, at: u64) -> Wanted {
    let count = |n: i64| n.unsigned_abs();
    match direction {
        FetchDirection::Forward(0) | FetchDirection::Backward(0) => Wanted::At(at),
        FetchDirection::Forward(n) if n > 0 => Wanted::Forward(count(n)),
        FetchDirection::Forward(n) => Wanted::Backward(count(n)),
        FetchDirection::Backward(n) if n > 0 => Wanted::Backward(count(n)),
        FetchDirection::Backward(n) => Wanted::Forward(count(n)),
        FetchDirection::Absolute(n) if n >= 0 => Wanted::At(count(n)),
        FetchDirection::Absolute(n) => Wanted::FromEnd(count(n)),
        FetchDirection::Relative(n) => Wanted::At(at.saturating_add_signed(n)),
    }
}

/// FETCH and MOVE; gives how many rows.
fn fetch(
    session: &mut Session,
    name: &str,
    direction: FetchDirection,
    move_only: bool,
    target: Target<'_>,
) -> Result<u64, SqlError> {
    let mut portal = session
        .portals
        .remove(name)
        .ok_or_else(|| no_cursor(name))?;
    let done = fetch_from(session, &mut portal, direction, move_only, target);
    if done.is_ok() {
        session.portals.insert(name, portal);
    }
    done
}

fn fetch_from(
    session: &mut Session,
    portal: &mut Portal,
    direction: FetchDirection,
    move_only: bool,
    target: Target<'_>,
) -> Result<u64, SqlError> {
    let Body::Query(plan, _) = &portal.ready.body else {
        return Err(SqlError::internal("a cursor without a plan"));
    };
    let plan = Arc::clone(plan);
    let formats: &[i16] = match portal.formats.is_empty() {
        true => target.formats,
        false => &portal.formats.clone(),
    };
    if target.describe && !move_only {
        reply::row_description(&mut session.out, &plan.columns, formats);
    }
    start_command(session)?;
    let wanted = wanted(direction, portal.at);
    if portal.rows.is_some() {
        return kept(session, portal, &plan, &wanted, move_only, formats);
    }
    let (skip, count) = match wanted {
        Wanted::Forward(n) => (0, n),
        Wanted::At(place) if place > portal.at => (place - portal.at - 1, 1),
        _ => {
            return Err(SqlError::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "cursor can only scan forward",
            )
            .with_hint("Declare it with SCROLL option to enable backward scan."));
        }
    };
    let skipped = advance(session, portal, &plan, skip, None)?;
    if skipped < skip {
        return Ok(0);
    }
    let to = (!move_only).then_some(formats);
    advance(session, portal, &plan, count, to)
}

/// Runs a cursor on; the rows go to the client, or nowhere.
fn advance(
    session: &mut Session,
    portal: &mut Portal,
    plan: &Plan,
    count: u64,
    formats: Option<&[i16]>,
) -> Result<u64, SqlError> {
    if count == 0 {
        return Ok(0);
    }
    let Some(mut query) = portal.query.take() else {
        return Ok(0);
    };
    let most = if count >= i64::MAX.unsigned_abs() {
        0
    } else {
        count
    };
    let progress = match formats {
        Some(formats) => run::batch(session, &mut query, plan, &portal.params, formats, most)?,
        None => run::batch_into(session, &mut query, &portal.params, most, &mut Nowhere)?,
    };
    portal.at += progress.rows;
    portal.done = progress.done;
    if !progress.done {
        portal.query = Some(query);
    }
    Ok(progress.rows)
}

struct Nowhere;

impl RowSink for Nowhere {
    fn row(&mut self, _row: &[Datum], _session: &dyn EvalContext) -> Result<(), SqlError> {
        Ok(())
    }
}

/// FETCH of a cursor that keeps its rows.
fn kept(
    session: &mut Session,
    portal: &mut Portal,
    plan: &Plan,
    wanted: &Wanted,
    move_only: bool,
    formats: &[i16],
) -> Result<u64, SqlError> {
    let rows = portal.rows.as_deref().unwrap_or_default();
    let length = rows.len() as u64;
    let (places, at): (Vec<u64>, u64) = match *wanted {
        Wanted::Forward(n) => {
            let last = portal.at.saturating_add(n).min(length);
            let beyond = portal.at.saturating_add(n) > length;
            let first = portal.at + 1;
            (
                (first..=last).collect(),
                if beyond { length + 1 } else { last },
            )
        }
        Wanted::Backward(n) => {
            let first = portal.at.saturating_sub(n);
            ((first.max(1)..portal.at).rev().collect(), first)
        }
        Wanted::At(place) => single(place, length),
        Wanted::FromEnd(place) => single((length + 1).saturating_sub(place), length),
    };
    portal.at = at;
    let chosen = places
        .iter()
        .filter_map(|place| rows.get(usize::try_from(place.checked_sub(1)?).ok()?));
    let chosen: Vec<Vec<Datum>> = chosen.cloned().collect();
    if !move_only {
        let target = Target {
            describe: false,
            formats,
            extended: false,
        };
        run::send_rows(session, &plan.columns, &chosen, target)?;
    }
    Ok(chosen.len() as u64)
}

fn single(place: u64, length: u64) -> (Vec<u64>, u64) {
    match place {
        0 => (Vec::new(), 0),
        place if place > length => (Vec::new(), length + 1),
        place => (alloc::vec![place], place),
    }
}
