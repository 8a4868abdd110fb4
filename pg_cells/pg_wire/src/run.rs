//! Running planned statements.

use crate::eval::{Eval, Parts, WorkMemory, split, split_for_executor};
use crate::reply;
use crate::rows::Rows;
use crate::settings;
use crate::utility;
use crate::views::Views;
use alloc::string::String;
use alloc::vec::Vec;
use pg_executor_port::{DiskSpill, ExecContext, PreparedPlan, Progress, RowSink, RunningQuery};
use pg_plan::{Plan, Verb};
use pg_types::{Datum, SqlError};
use pg_wire_port::{Body, Out, Ready, Session};

/// Bytes that a statement may use in all.
const MEMORY_LIMIT: usize = 512 << 20;

/// How the client wants the answer.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// With RowDescription.
    pub describe: bool,
    /// The formats of the columns.
    pub formats: &'a [i16],
    /// By the extended protocol.
    pub extended: bool,
}

impl Target<'_> {
    /// The simple protocol's.
    pub const SIMPLE: Target<'static> = Target {
        describe: true,
        formats: &[],
        extended: false,
    };
}

/// What CommandComplete will say.
#[derive(Debug)]
pub enum Tag {
    /// Words and a number.
    Rows(&'static str, u64),
    /// Words.
    Text(String),
    /// An empty statement has an answer of its own.
    Empty,
    /// It will be said later: COPY waits for data.
    Later,
}

impl Tag {
    /// Says it.
    pub fn send(&self, out: &mut Out) {
        match self {
            Tag::Rows(words, rows) => reply::complete(out, words, *rows),
            Tag::Text(words) => out.command_complete(words),
            Tag::Empty => out.empty(b'I'),
            Tag::Later => {}
        }
    }
}

/// The tag of a plan.
pub fn tag(plan: &Plan, progress: Progress) -> Tag {
    match plan.verb() {
        Verb::Select => Tag::Rows("SELECT ", progress.rows),
        Verb::Insert => Tag::Rows("INSERT 0 ", progress.affected),
        Verb::Update => Tag::Rows("UPDATE ", progress.affected),
        Verb::Delete => Tag::Rows("DELETE ", progress.affected),
    }
}

/// Whether a plan gives rows to the client.
pub fn gives_rows(plan: &Plan) -> bool {
    !plan.columns.is_empty() || plan.verb() == Verb::Select
}

/// Runs a statement that was [acquired](crate::ready::acquire), to its end.
pub fn statement(
    session: &mut Session,
    ready: &Ready,
    params: &[Datum],
    target: Target<'_>,
) -> Result<Tag, SqlError> {
    match &ready.body {
        Body::Empty => Ok(Tag::Empty),
        Body::Utility(utility) => utility::run(session, utility, params, target),
        Body::Query(plan, prepared) => {
            session.effects |= !ready.reads_only;
            if target.describe && gives_rows(plan) {
                reply::describe(&mut session.out, ready, &plan.columns, target.formats);
            }
            let mut query = prepared.start()?;
            let progress = batch(session, &mut query, plan, params, target.formats, 0)?;
            Ok(tag(plan, progress))
        }
    }
}

/// Runs a query for some rows (zero: all), which go to the client.
pub fn batch(
    session: &mut Session,
    query: &mut RunningQuery,
    plan: &Plan,
    params: &[Datum],
    formats: &[i16],
    most: u64,
) -> Result<Progress, SqlError> {
    let (eval, parts) = split_for_executor(session)?;
    let Parts {
        tx,
        out,
        scratch,
        work,
    } = parts;
    let mut rows = Rows {
        out,
        columns: &plan.columns,
        formats,
        scratch,
    };
    let views = Views(&eval);
    let mut context = context(tx, params, &eval, &views, work);
    let progress = query.next_batch(&mut context, most, &mut rows)?;
    let changes = eval.into_changes();
    if !changes.is_empty() {
        settings::apply(session, changes)?;
    }
    Ok(progress)
}

/// The surroundings of a call into the executor.
pub fn context<'a>(
    tx: &'a mut pg_txn_port::Transaction,
    params: &'a [Datum],
    eval: &'a Eval<'_>,
    views: &'a Views<'_>,
    work: WorkMemory,
) -> ExecContext<'a> {
    ExecContext {
        tx,
        params,
        session: eval,
        views,
        spill: Some(&DiskSpill),
        work_mem: work.sort,
        hash_mem: work.hash,
        memory_limit: MEMORY_LIMIT,
    }
}

/// Runs a plan and keeps its rows.
pub fn collect(
    session: &mut Session,
    prepared: &PreparedPlan,
    params: &[Datum],
) -> Result<Vec<Vec<Datum>>, SqlError> {
    let mut rows: Vec<Vec<Datum>> = Vec::new();
    let mut query = prepared.start()?;
    with_context(session, params, |context| {
        query.next_batch(context, 0, &mut rows).map(|_| ())
    })?;
    Ok(rows)
}

/// Runs a query for some rows (zero: all) into any sink.
pub fn batch_into(
    session: &mut Session,
    query: &mut RunningQuery,
    params: &[Datum],
    most: u64,
    sink: &mut dyn RowSink,
) -> Result<Progress, SqlError> {
    with_context(session, params, |context| {
        query.next_batch(context, most, sink)
    })
}

/// Calls the executor with the session's surroundings.
pub fn with_context<T>(
    session: &mut Session,
    params: &[Datum],
    call: impl FnOnce(&mut ExecContext<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    let (eval, parts) = split_for_executor(session)?;
    let views = Views(&eval);
    let mut context = context(parts.tx, params, &eval, &views, parts.work);
    let value = call(&mut context)?;
    let changes = eval.into_changes();
    if !changes.is_empty() {
        settings::apply(session, changes)?;
    }
    Ok(value)
}

/// Sends rows that are there already.
pub fn send_rows(
    session: &mut Session,
    columns: &[pg_plan::OutputColumn],
    rows: &[Vec<Datum>],
    target: Target<'_>,
) -> Result<(), SqlError> {
    if target.describe {
        reply::row_description(&mut session.out, columns, target.formats);
    }
    // Names of objects need the catalog; such values are texts already here,
    // unless they come from a plan, which then has a transaction.
    if session.tx.is_none() {
        crate::ready::start_command(session)?;
    }
    let (eval, parts) = split(session)?;
    let mut sink = Rows {
        out: parts.out,
        columns,
        formats: target.formats,
        scratch: parts.scratch,
    };
    rows.iter().try_for_each(|row| sink.row(row, &eval))
}
