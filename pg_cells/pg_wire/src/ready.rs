//! From a text to a planned statement, and keeping plans fit to run.

use crate::eval::{Eval, split};
use crate::reply;
use crate::run::gives_rows;
use crate::settings;
use crate::tables;
use crate::transaction::{aborted, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;
use pg_builtins::EvalContext;
use pg_catalog_port::{CATALOG, OWN};
use pg_executor_port::errors::{port_error, txn_error};
use pg_parser_port::{Command, Literal, PARSER, Parsed, Statement};
use pg_plan::{CopySource, Plan, Planned, Utility};
use pg_planner_port::{PLANNER, PlanContext, Planner, SessionCatalog};
use pg_txn_port::{LockMode, Transaction};
use pg_types::typeinfo::is_reg;
use pg_types::{Datum, Oid, SqlError, SqlState, oid};
use pg_wire_port::{Block, Body, Ready, Session, SharedPlan};

/// How often a plan is made anew because the schema changes meanwhile.
const TRIES: usize = 10;

/// The statements of a text.
pub fn parse(sql: &str) -> Result<Vec<Parsed>, SqlError> {
    PARSER.enter().map_err(port_error)?.parse(sql)
}

/// The only statement of a text; none when the text is empty.
pub fn parse_one(sql: &str) -> Result<Option<Statement>, SqlError> {
    let mut parsed = parse(sql)?;
    if parsed.len() > 1 {
        return Err(SqlError::new(
            SqlState::SYNTAX_ERROR,
            "cannot insert multiple commands into a prepared statement",
        ));
    }
    Ok(parsed.pop().map(|p| p.statement))
}

/// Nothing to run.
pub fn empty() -> Ready {
    Ready {
        body: Body::Empty,
        locks: Vec::new(),
        reads_only: true,
        version: 0,
        epoch: 0,
        params: Vec::new(),
        description: Vec::new(),
    }
}

/// Plans a text of one statement, unless a session has done so before.
pub fn plan_text(session: &mut Session, sql: &str, declared: &[Oid]) -> Result<Ready, SqlError> {
    if let Some(ready) = shared(session, sql, declared)? {
        return Ok(ready);
    }
    let Some(statement) = parse_one(sql)? else {
        return Ok(empty());
    };
    let ready = plan(session, &statement, declared)?;
    if let Body::Query(plan, _) = &ready.body
        && ready.version & OWN == 0
    {
        let shared = SharedPlan {
            plan: Arc::clone(plan),
            locks: ready.locks.clone(),
            reads_only: ready.reads_only,
            epoch: ready.epoch,
            declared: declared.to_vec(),
        };
        pg_wire_port::share_plan(sql, shared);
    }
    Ok(ready)
}

/// A plan that another session has made.
fn shared(session: &mut Session, sql: &str, declared: &[Oid]) -> Result<Option<Ready>, SqlError> {
    if session.block == Block::Failed || !may_be_query(sql) {
        return Ok(None);
    }
    settings::refresh(session);
    ensure(session)?;
    let Some(tx) = &session.tx else {
        return Ok(None);
    };
    let version = CATALOG.enter().map_err(port_error)?.version(tx);
    let found = pg_wire_port::shared_plan(sql, session.plan_epoch, version, declared);
    let Some(found) = found else {
        return Ok(None);
    };
    compiled(found.plan, found.locks, found.reads_only, found.epoch).map(Some)
}

/// Whether a text may be one that has a plan. Other statements begin no
/// transaction before they run.
fn may_be_query(sql: &str) -> bool {
    let first = sql.trim_ascii_start().get(..6).unwrap_or_default();
    let verbs = ["select", "insert", "update", "delete", "values"];
    verbs.iter().any(|verb| verb.eq_ignore_ascii_case(first))
        || first
            .get(..4)
            .is_some_and(|w| w.eq_ignore_ascii_case("with"))
}

/// Plans a statement.
pub fn plan(
    session: &mut Session,
    statement: &Statement,
    declared: &[Oid],
) -> Result<Ready, SqlError> {
    if let Statement::Command(command) = statement
        && let Command::Ready(utility) = &**command
    {
        let ends = matches!(utility, Utility::Transaction(_));
        return match session.block == Block::Failed && !ends {
            true => Err(aborted()),
            false => Ok(utility_ready(utility.clone())),
        };
    }
    settings::refresh(session);
    let epoch = session.plan_epoch;
    let planned = with_planner(session, |planner, context| {
        let context = PlanContext {
            param_types: declared,
            ..*context
        };
        planner.plan(statement, &context)
    })?;
    match planned {
        Planned::Query(plan) => query_ready(Arc::new(plan), epoch),
        Planned::Utility(utility) => Ok(Ready {
            epoch,
            ..utility_ready(utility)
        }),
    }
}

/// Calls the planner with the session's surroundings.
pub fn with_planner<T>(
    session: &mut Session,
    call: impl FnOnce(&dyn Planner, &PlanContext<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    start_command(session)?;
    let (eval, parts) = split(session)?;
    with_planner_in(&eval, parts.tx, call)
}

/// The same, within a statement.
pub fn with_planner_in<T>(
    eval: &Eval<'_>,
    tx: &mut Transaction,
    call: impl FnOnce(&dyn Planner, &PlanContext<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    let tx = RefCell::new(tx);
    let catalog = SessionCatalog::new(&tx);
    let context = PlanContext {
        catalog: &catalog,
        eval,
        param_types: &[],
    };
    let planner = PLANNER.enter().map_err(port_error)?;
    call(&*planner, &context)
}

/// Begins a command in the transaction, which is begun if need be.
pub fn start_command(session: &mut Session) -> Result<(), SqlError> {
    if session.block == Block::Failed {
        return Err(aborted());
    }
    ensure(session)?;
    match &mut session.tx {
        Some(tx) => tx.start_command().map_err(txn_error),
        None => Err(aborted()),
    }
}

fn utility_ready(utility: Utility) -> Ready {
    let mut ready = empty();
    if let Some(plan) = plan_within(&utility) {
        ready.locks = tables::uses(plan).locks;
        ready.version = plan.catalog_version;
    }
    ready.body = Body::Utility(Arc::new(utility));
    ready
}

/// The plan that a command runs, if it runs one.
fn plan_within(utility: &Utility) -> Option<&Plan> {
    match utility {
        Utility::CreateTableAs { plan, .. } | Utility::Declare { plan, .. } => Some(plan),
        Utility::Copy(copy) => match &copy.source {
            CopySource::To(plan) | CopySource::From { insert: plan, .. } => Some(plan),
        },
        Utility::Explain { statement, options } if options.analyze => match &**statement {
            Planned::Query(plan) => Some(plan),
            Planned::Utility(utility) => plan_within(utility),
        },
        _ => None,
    }
}

/// Whether a statement runs a plan: it must be [held](hold) then.
pub fn has_plan(ready: &Ready) -> bool {
    match &ready.body {
        Body::Query(..) => true,
        Body::Utility(utility) => plan_within(utility).is_some(),
        Body::Empty => false,
    }
}

/// Compiles a plan.
pub fn query_ready(plan: Arc<Plan>, epoch: u64) -> Result<Ready, SqlError> {
    let uses = tables::uses(&plan);
    compiled(plan, uses.locks, !uses.writes, epoch)
}

fn compiled(
    plan: Arc<Plan>,
    locks: Vec<(Oid, LockMode)>,
    reads_only: bool,
    epoch: u64,
) -> Result<Ready, SqlError> {
    let prepared = pg_executor_port::prepare(Arc::clone(&plan))?;
    let description = match gives_rows(&plan) {
        true => reply::text_description(&plan.columns),
        false => Vec::new(),
    };
    Ok(Ready {
        locks,
        reads_only,
        version: plan.catalog_version,
        epoch,
        params: plan.params.clone(),
        body: Body::Query(plan, prepared),
        description,
    })
}

/// Whether the plan does not hold any more.
fn is_stale(session: &Session, ready: &Ready) -> Result<bool, SqlError> {
    let Some(tx) = &session.tx else {
        return Ok(true);
    };
    if ready.epoch != session.plan_epoch {
        return Ok(true);
    }
    let version = CATALOG.enter().map_err(port_error)?.version(tx);
    Ok(version != ready.version)
}

/// What a text says of its parameters' types.
#[derive(Clone, Copy)]
pub enum Declared<'a> {
    /// These, 0 for unknown.
    Types(&'a [Oid]),
    /// They are those of literals that were lifted out.
    Literals(&'a [Literal]),
}

impl Declared<'_> {
    /// The types.
    pub fn types(self) -> Vec<Oid> {
        match self {
            Declared::Types(types) => types.to_vec(),
            Declared::Literals(literals) => literals.iter().map(Literal::type_oid).collect(),
        }
    }
}

/// [Holds](hold) a plan and begins the command that will run it.
pub fn acquire(
    session: &mut Session,
    ready: &Arc<Ready>,
    sql: &str,
    declared: Declared<'_>,
) -> Result<Arc<Ready>, SqlError> {
    let ready = hold(session, ready, sql, declared)?;
    start_command(session)?;
    Ok(ready)
}

/// Locks the tables of a plan, and makes sure that the plan holds: it is
/// compiled anew when the executor was replaced, planned anew when the schema
/// has changed.
pub fn hold(
    session: &mut Session,
    ready: &Arc<Ready>,
    sql: &str,
    declared: Declared<'_>,
) -> Result<Arc<Ready>, SqlError> {
    if session.block == Block::Failed {
        return Err(aborted());
    }
    if !has_plan(ready) {
        return Ok(Arc::clone(ready));
    }
    settings::refresh(session);
    ensure(session)?;
    let mut ready = Arc::clone(ready);
    for _ in 0..TRIES {
        // With the locks held the schema cannot change any more.
        lock(session, &ready)?;
        if !is_stale(session, &ready)? {
            if let Body::Query(plan, prepared) = &ready.body
                && !prepared.is_current()
            {
                ready = Arc::new(query_ready(Arc::clone(plan), ready.epoch)?);
            }
            return Ok(ready);
        }
        ready = Arc::new(plan_text(session, sql, &declared.types())?);
        if !has_plan(&ready) {
            return Ok(ready);
        }
    }
    Err(SqlError::new(
        SqlState::T_R_SERIALIZATION_FAILURE,
        "the schema keeps changing",
    ))
}

#[inline]
fn lock(session: &mut Session, ready: &Ready) -> Result<(), SqlError> {
    let Some(tx) = &mut session.tx else {
        return Ok(());
    };
    if tx.is_read_only() {
        crate::tables::refuse_read_only(ready)?;
    }
    for (relation, mode) in &ready.locks {
        tx.lock_relation(*relation, *mode).map_err(txn_error)?;
    }
    Ok(())
}

/// Begins the command that runs the plan within another one, which is [held](hold).
pub fn start_plan(session: &mut Session, plan: &Plan) -> Result<(), SqlError> {
    session.effects |= tables::uses(plan).writes;
    start_command(session)
}

/// The values of literals that were lifted out, as their parameters' types.
pub fn literals(
    session: &mut Session,
    ready: &Ready,
    literals: &[Literal],
    values: &mut Vec<Datum>,
) -> Result<(), SqlError> {
    let types = ready
        .params
        .iter()
        .copied()
        .chain(core::iter::repeat(oid::TEXT));
    for (literal, type_oid) in literals.iter().zip(types) {
        values.push(match literal {
            Literal::Int4(value) => number(i64::from(*value), type_oid)?,
            Literal::Int8(value) => number(*value, type_oid)?,
            Literal::Numeric(text) => read(session, type_oid, text)?,
            Literal::Text(text) => read(session, type_oid, text)?,
        });
    }
    Ok(())
}

fn number(value: i64, type_oid: Oid) -> Result<Datum, SqlError> {
    match type_oid {
        oid::INT4 => i32::try_from(value)
            .map(Datum::Int4)
            .map_err(|_| SqlError::out_of_range("integer")),
        oid::INT8 => Ok(Datum::Int8(value)),
        other => {
            let text = alloc::format!("{value}");
            pg_types::input(other, -1, &text, &pg_types::FormatSettings::default())
        }
    }
}

/// Reads a value from its text form.
pub fn read(session: &mut Session, type_oid: Oid, text: &str) -> Result<Datum, SqlError> {
    match type_oid {
        oid::TEXT | oid::VARCHAR | oid::UNKNOWN | oid::INVALID => Ok(Datum::from(text)),
        reg if is_reg(reg) => {
            start_command(session)?;
            let (eval, _) = split(session)?;
            pg_builtins::input_value(type_oid, -1, text, &eval)
        }
        _ => pg_types::input(type_oid, -1, text, &session.format),
    }
}

/// The arguments of EXECUTE, computed.
pub fn arguments(
    session: &mut Session,
    texts: &[String],
    types: &[Oid],
) -> Result<Vec<Datum>, SqlError> {
    let exprs = with_planner(session, |planner, context| {
        planner.plan_arguments(texts, types, context)
    })?;
    let columns = exprs.len();
    let plan = Plan {
        node: alloc::boxed::Box::new(pg_plan::Node::Values(alloc::vec![exprs])),
        columns: (0..columns)
            .map(|_| crate::reply::text_column(""))
            .collect(),
        hidden: 0,
        rows: 1.0,
        startup_cost: 0.0,
        total_cost: 0.0,
        catalog_version: 0,
        wants_values: false,
        params: Vec::new(),
    };
    let prepared = pg_executor_port::prepare(Arc::new(plan))?;
    let rows = crate::run::collect(session, &prepared, &[])?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

/// The session as a context for the catalog's changes.
pub fn path_of(eval: &Eval<'_>) -> Vec<pg_types::Str> {
    eval.search_path(false)
}
