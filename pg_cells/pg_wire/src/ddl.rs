//! Changes of the schema, and CREATE TABLE AS. The catalog changes its rows and
//! files; what is then to be done with the rows of tables is put before the
//! executor here.

use crate::eval::{Eval, split};
use crate::ready::{self, path_of};
use crate::run::{self, Tag, collect, with_context};
use crate::{concurrently, constraints, settings};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_builtins::quote_identifier;
use pg_catalog_port::{CATALOG, DdlOutcome, DdlSession, Notice, RowWork};
use pg_executor_port::errors::port_error;
use pg_executor_port::{EXECUTOR, IndexBuild, RowExprs, TableChangeRows};
use pg_plan::{
    CreateTable, Ddl, DropKind, Expr, ForeignKey, Index, IndexExprs, Plan, Relation, TargetColumn,
    Utility,
};
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlError, SqlState};
use pg_wire_port::{Body, Session, Severity};

/// Carries out a change.
pub fn run(session: &mut Session, ddl: &Ddl) -> Result<(), SqlError> {
    match ddl {
        Ddl::CreateIndex(create) if create.concurrently => {
            concurrently::create_index(session, create)
        }
        ddl => apply(session, ddl).map(|_| ()),
    }
}

/// The catalog's part of a change, and what is to be done with rows.
pub fn apply(session: &mut Session, ddl: &Ddl) -> Result<DdlOutcome, SqlError> {
    ready::start_command(session)?;
    refuse_pending(session, ddl)?;
    let (eval, parts) = split(session)?;
    let path = path_of(&eval);
    let creator = DdlSession {
        path: &path,
        user: eval.user(),
        eval: &eval,
    };
    let catalog = CATALOG.enter().map_err(port_error)?;
    let outcome = catalog.apply(parts.tx, &creator, ddl)?;
    drop(catalog);
    for notice in &outcome.notices {
        send(parts.out, notice);
    }
    let changes = eval.into_changes();
    settings::apply(session, changes)?;
    for work in &outcome.work {
        rows(session, work)?;
    }
    Ok(outcome)
}

/// What was changed in a table must be checked before its schema changes.
fn refuse_pending(session: &mut Session, ddl: &Ddl) -> Result<(), SqlError> {
    if session.notes.deferred.get_mut().is_empty() {
        return Ok(());
    }
    let tables: &[Arc<Relation>] = match ddl {
        Ddl::AlterTable(alter) => core::slice::from_ref(&alter.relation),
        Ddl::CreateIndex(create) => core::slice::from_ref(&create.table),
        Ddl::Truncate { tables, .. } => tables,
        Ddl::Drop(drop) if drop.kind == DropKind::Table => return refuse_drop(session, drop),
        _ => &[],
    };
    let command = match ddl {
        Ddl::Truncate { .. } => "TRUNCATE",
        ddl => ddl.tag(),
    };
    tables
        .iter()
        .try_for_each(|t| constraints::refuse_pending(session, t.oid, &t.name, command))
}

fn refuse_drop(session: &mut Session, drop: &pg_plan::Drop) -> Result<(), SqlError> {
    for name in &drop.names {
        let found = {
            let (eval, _) = split(session)?;
            let path = path_of(&eval);
            let schema = name.schema.as_deref();
            eval.ask(|catalog, tx| catalog.relation(tx, &path, schema, &name.name))?
        };
        if let Some(table) = found {
            constraints::refuse_pending(session, table.oid, &table.name, "DROP TABLE")?;
        }
    }
    Ok(())
}

fn send(out: &mut pg_wire_port::Out, notice: &Notice) {
    let mut error = SqlError::new(notice.code, notice.message.clone());
    if let Some(detail) = &notice.detail {
        error = error.with_detail(detail.clone());
    }
    out.report(Severity::Notice, error.fields());
}

/// Does what a change leaves to be done with rows.
fn rows(session: &mut Session, work: &RowWork) -> Result<(), SqlError> {
    ready::start_command(session)?;
    match work {
        RowWork::BuildIndex {
            table,
            index,
            keys,
            predicate,
        } => {
            let given = IndexExprs {
                index: *index,
                keys: keys.clone(),
                predicate: predicate.clone(),
            };
            build_index(session, table, *index, given)
        }
        RowWork::ChangeRows {
            before,
            after,
            checks,
            not_null,
            rewrite,
        } => {
            let checked = TableChangeRows {
                relation: before,
                checks,
                not_null,
                rewrite: None,
            };
            match rewrite {
                Some(rewrite) => rewrite_rows(session, &checked, after, rewrite),
                None => change_rows(session, &checked),
            }
        }
        RowWork::CheckForeignKey { table, constraint } => {
            let found = table.foreign_keys.iter().find(|k| k.oid == *constraint);
            match found {
                Some(key) => check_foreign_key(session, table, key),
                None => Err(SqlError::internal("the new foreign key is not there")),
            }
        }
    }
}

fn build_index(
    session: &mut Session,
    table: &Arc<Relation>,
    index: Oid,
    given: IndexExprs,
) -> Result<(), SqlError> {
    let index = table
        .indexes
        .iter()
        .find(|i| i.oid == index)
        .ok_or_else(|| SqlError::internal("the new index is not there"))?;
    let has_exprs = given.predicate.is_some() || given.keys.iter().any(Option::is_some);
    let exprs = match has_exprs {
        true => Some(given),
        false => index_exprs(session, table, index)?,
    };
    let build = IndexBuild {
        relation: table,
        index,
        exprs: exprs.as_ref(),
    };
    let memory = crate::settings::raw(&session.settings, "maintenance_work_mem");
    let memory = memory.and_then(|kb| kb.parse::<usize>().ok());
    with_context(session, &[], |context| {
        if let Some(kb) = memory {
            context.work_mem = kb << 10;
        }
        let executor = EXECUTOR.enter().map_err(port_error)?;
        executor.build_index(&build, context).map(|_| ())
    })
}

/// Gives rows their entries in an index that others keep meanwhile.
pub fn complete_index(
    session: &mut Session,
    table: &Arc<Relation>,
    index: Oid,
) -> Result<(), SqlError> {
    let index = table.indexes.iter().find(|i| i.oid == index);
    let index = index.ok_or_else(|| SqlError::internal("the new index is not there"))?;
    let exprs = index_exprs(session, table, index)?;
    let build = IndexBuild {
        relation: table,
        index,
        exprs: exprs.as_ref(),
    };
    with_context(session, &[], |context| {
        let executor = EXECUTOR.enter().map_err(port_error)?;
        executor.complete_index(&build, context).map(|_| ())
    })
}

/// The computed keys and the condition of an index, from their texts.
fn index_exprs(
    session: &mut Session,
    table: &Relation,
    index: &Index,
) -> Result<Option<IndexExprs>, SqlError> {
    let computed = index.keys.iter().any(|k| k.expression.is_some());
    if !computed && index.predicate.is_none() {
        return Ok(None);
    }
    let (eval, parts) = split(session)?;
    let mut plan = |text: &Option<String>| -> Result<Option<Expr>, SqlError> {
        let Some(text) = text else {
            return Ok(None);
        };
        row_expr(&eval, parts.tx, text, table).map(Some)
    };
    let keys: Result<Vec<_>, _> = index.keys.iter().map(|k| plan(&k.expression)).collect();
    Ok(Some(IndexExprs {
        index: index.oid,
        keys: keys?,
        predicate: plan(&index.predicate)?,
    }))
}

fn row_expr(
    eval: &Eval<'_>,
    tx: &mut Transaction,
    text: &str,
    table: &Relation,
) -> Result<Expr, SqlError> {
    ready::with_planner_in(eval, tx, |planner, context| {
        planner.plan_row_expr(text, table, context)
    })
}

fn change_rows(session: &mut Session, change: &TableChangeRows<'_>) -> Result<(), SqlError> {
    with_context(session, &[], |context| {
        let executor = EXECUTOR.enter().map_err(port_error)?;
        executor.change_rows(change, context).map(|_| ())
    })
}

/// Writes all rows anew: columns that are not computed stay what they are.
fn rewrite_rows(
    session: &mut Session,
    checked: &TableChangeRows<'_>,
    after: &Arc<Relation>,
    computed: &[(usize, Expr)],
) -> Result<(), SqlError> {
    let before = checked.relation;
    let mut values = Vec::with_capacity(after.desc.len());
    for (place, attr) in after.desc.attrs().iter().enumerate() {
        let type_oid = attr.type_oid;
        let old = before.desc.attrs().get(place).filter(|a| !a.dropped);
        let given = computed.iter().find(|(p, _)| *p == place);
        let value = match (given, old) {
            (Some((_, expr)), _) => expr.clone(),
            (None, Some(old)) if !attr.dropped => Expr::Column {
                index: place,
                type_oid: old.type_oid,
            },
            _ => Expr::Const {
                value: attr.missing.clone().unwrap_or_default(),
                type_oid,
            },
        };
        values.push(TargetColumn {
            value,
            not_null: attr.not_null && !attr.dropped,
        });
    }
    let mut exprs = Vec::new();
    for index in &after.indexes {
        exprs.extend(index_exprs(session, after, index)?);
    }
    let change = TableChangeRows {
        rewrite: Some(RowExprs {
            relation: after,
            values: &values,
            index_exprs: &exprs,
        }),
        ..*checked
    };
    change_rows(session, &change)
}

/// Looks for a row without a partner.
fn check_foreign_key(
    session: &mut Session,
    table: &Relation,
    key: &ForeignKey,
) -> Result<(), SqlError> {
    let other = {
        let (eval, _) = split(session)?;
        let found = eval.ask(|catalog, tx| catalog.relation_by_oid(tx, key.references))?;
        found.ok_or_else(|| SqlError::internal("the referenced table is not there"))?
    };
    let column = |relation: &Relation, number: i16| {
        let place = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
        let attr = relation.desc.attrs().get(place);
        attr.map_or_else(String::new, |a| quote_identifier(&a.name).to_string())
    };
    let name = |r: &Relation| {
        format!(
            "{}.{}",
            quote_identifier(&r.schema),
            quote_identifier(&r.name)
        )
    };
    let mine: Vec<String> = key.columns.iter().map(|n| column(table, *n)).collect();
    let theirs = key.referenced.iter().map(|n| column(&other, *n));
    let present: Vec<String> = mine.iter().map(|c| format!("f.{c} IS NOT NULL")).collect();
    // MATCH FULL takes all NULLs, or none.
    let present = present.join(if key.match_full { " OR " } else { " AND " });
    let equal: Vec<String> = mine
        .iter()
        .zip(theirs)
        .map(|(m, t)| format!("p.{t} = f.{m}"))
        .collect();
    let shown: Vec<String> = mine.iter().map(|c| format!("f.{c}::text")).collect();
    let sql = format!(
        "SELECT {} FROM {} f WHERE ({present}) \
         AND NOT EXISTS (SELECT 1 FROM {} p WHERE {}) LIMIT 1",
        shown.join(", "),
        name(table),
        name(&other),
        equal.join(" AND "),
    );
    let rows = query(session, &sql)?;
    let Some(row) = rows.first() else {
        return Ok(());
    };
    let detail = match row.iter().any(Datum::is_null) {
        true => "MATCH FULL does not allow mixing of null and nonnull key values.".to_string(),
        false => {
            let values: Vec<&str> = row.iter().filter_map(Datum::as_str).collect();
            format!(
                "Key ({})=({}) is not present in table \"{}\".",
                mine.join(", "),
                values.join(", "),
                other.name
            )
        }
    };
    Err(SqlError::new(
        SqlState::FOREIGN_KEY_VIOLATION,
        format!(
            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
            table.name, key.name
        ),
    )
    .with_detail(detail)
    .with_table(&*table.schema, &*table.name)
    .with_constraint(&*key.name))
}

/// CREATE TABLE AS: the table, then an INSERT of the query's rows.
pub fn create_table_as(
    session: &mut Session,
    utility: &Utility,
    table: &CreateTable,
    plan: &Plan,
    with_data: bool,
    params: &[Datum],
) -> Result<Tag, SqlError> {
    ready::start_plan(session, plan)?;
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
    let insert = pg_executor_port::insert_plan(&relation, plan.clone());
    let prepared = pg_executor_port::prepare(Arc::new(insert))?;
    let mut query = prepared.start()?;
    let mut nothing: Vec<Vec<Datum>> = Vec::new();
    let progress = run::batch_into(session, &mut query, params, 0, &mut nothing)?;
    Ok(Tag::Text(utility.tag(progress.affected)))
}

/// The rows of a query of our own.
pub fn query(session: &mut Session, sql: &str) -> Result<Vec<Vec<Datum>>, SqlError> {
    let ready = Arc::new(ready::plan_text(session, sql, &[])?);
    let ready = ready::acquire(session, &ready, sql, ready::Declared::Types(&[]))?;
    match &ready.body {
        Body::Query(_, prepared) => collect(session, prepared, &[]),
        _ => Ok(Vec::new()),
    }
}
