//! Changes of the schema, and CREATE TABLE AS.

use crate::eval::split;
use crate::ready::{self, path_of};
use crate::run::{self, Tag, collect};
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_catalog_port::{CATALOG, DdlOutcome, DdlSession, Notice};
use pg_executor_port::errors::port_error;
use pg_plan::{CreateTable, Ddl, Plan, Utility};
use pg_types::{Datum, SqlError};
use pg_wire_port::{Body, Session, Severity};

/// Carries out a change.
pub fn run(session: &mut Session, ddl: &Ddl) -> Result<(), SqlError> {
    apply(session, ddl).map(|_| ())
}

fn apply(session: &mut Session, ddl: &Ddl) -> Result<DdlOutcome, SqlError> {
    ready::start_command(session)?;
    let (eval, parts) = split(session)?;
    let path = path_of(&eval);
    let creator = DdlSession {
        path: &path,
        user: eval.user(),
        eval: &eval,
    };
    let catalog = CATALOG.enter().map_err(port_error)?;
    let outcome = catalog.apply(parts.tx, &creator, ddl)?;
    for notice in &outcome.notices {
        send(parts.out, notice);
    }
    Ok(outcome)
}

fn send(out: &mut pg_wire_port::Out, notice: &Notice) {
    let mut error = SqlError::new(notice.code, notice.message.clone());
    if let Some(detail) = &notice.detail {
        error = error.with_detail(detail.clone());
    }
    out.report(Severity::Notice, error.fields());
}

/// CREATE TABLE AS: the table, then an INSERT of the query's rows.
pub fn create_table_as(
    session: &mut Session,
    utility: &Utility,
    table: &CreateTable,
    plan: &Plan,
    with_data: bool,
) -> Result<Tag, SqlError> {
    let outcome = apply(session, &Ddl::CreateTable(table.clone()))?;
    let Some(oid) = outcome.object.filter(|_| with_data) else {
        // It was there already (IF NOT EXISTS), or shall be empty.
        return Ok(Tag::Text("CREATE TABLE AS".to_string()));
    };
    ready::start_command(session)?;
    let relation = {
        let (eval, _) = split(session)?;
        let found = eval.ask(|catalog, tx| catalog.relation_by_oid(tx, oid))?;
        found.ok_or_else(|| SqlError::internal("the new table is not there"))?
    };
    let values = plan.columns.iter().enumerate().map(|(index, column)| {
        let value = pg_plan::Expr::Column {
            index,
            type_oid: column.type_oid,
        };
        pg_plan::TargetColumn {
            value,
            not_null: false,
        }
    });
    let insert = Plan {
        node: Box::new(pg_plan::Node::Insert {
            relation,
            values: values.collect(),
            input: plan.clone(),
            checks: Vec::new(),
            index_exprs: Vec::new(),
            on_conflict: None,
            returning: None,
        }),
        columns: Vec::new(),
        ..plan.clone()
    };
    let prepared = pg_executor_port::prepare(Arc::new(insert))?;
    let mut query = prepared.start()?;
    let mut nothing: Vec<Vec<Datum>> = Vec::new();
    let progress = run::batch_into(session, &mut query, &[], 0, &mut nothing)?;
    Ok(Tag::Text(utility.tag(progress.affected)))
}

/// The rows of a query of our own.
pub fn query(session: &mut Session, sql: &str) -> Result<Vec<Vec<Datum>>, SqlError> {
    let ready = Arc::new(ready::plan_text(session, sql, &[])?);
    let ready = ready::acquire(session, &ready, sql, &[])?;
    match &ready.body {
        Body::Query(_, prepared) => collect(session, prepared, &[]),
        _ => Ok(Vec::new()),
    }
}
