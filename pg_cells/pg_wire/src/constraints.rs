//! Constraints that are not checked at once: SET CONSTRAINTS, and the checks when
//! their time has come.

use crate::ready::{self, path_of};
use crate::run::with_context;
use crate::{ddl, utility};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_builtins::quote_string;
use pg_executor_port::EXECUTOR;
use pg_executor_port::errors::port_error;
use pg_plan::QualifiedName;
use pg_types::{Datum, Oid, SqlError, SqlState};
use pg_wire_port::Session;

/// SET CONSTRAINTS.
pub fn set(
    session: &mut Session,
    names: Option<&[QualifiedName]>,
    deferred: bool,
) -> Result<(), SqlError> {
    utility::outside_warning(session, "SET CONSTRAINTS");
    ready::start_command(session)?;
    let mut list: Vec<Oid> = Vec::new();
    for name in names.unwrap_or_default() {
        list.extend(named(session, name, deferred)?);
    }
    let which = names.map(|_| list.as_slice());
    session.notes.deferred.get_mut().set(which, deferred);
    match deferred {
        true => Ok(()),
        false => check(session, which),
    }
}

/// The constraints of this name in the first schema that has any.
fn named(
    session: &mut Session,
    name: &QualifiedName,
    deferred: bool,
) -> Result<Vec<Oid>, SqlError> {
    let schemas: Vec<String> = match &name.schema {
        Some(schema) => alloc::vec![schema.clone()],
        None => {
            let (eval, _) = crate::eval::split(session)?;
            path_of(&eval).iter().map(ToString::to_string).collect()
        }
    };
    for schema in schemas {
        let sql = format!(
            "SELECT c.oid, c.condeferrable FROM pg_catalog.pg_constraint c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace \
             WHERE c.conname = {} AND n.nspname = {}",
            quote_string(&name.name),
            quote_string(&schema)
        );
        let rows = ddl::query(session, &sql)?;
        if rows.is_empty() {
            continue;
        }
        let mut found = Vec::new();
        for row in &rows {
            if let [Datum::Oid(oid), Datum::Bool(deferrable)] = row.as_slice() {
                if deferred && !deferrable {
                    return Err(SqlError::new(
                        SqlState::WRONG_OBJECT_TYPE,
                        format!("constraint \"{}\" is not deferrable", name.name),
                    ));
                }
                found.push(*oid);
            }
        }
        return Ok(found);
    }
    Err(SqlError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("constraint \"{name}\" does not exist"),
    ))
}

/// Makes the checks that wait, of these constraints or of all.
pub fn check(session: &mut Session, which: Option<&[Oid]>) -> Result<(), SqlError> {
    let checks = session.notes.deferred.get_mut().take(which);
    if checks.is_empty() {
        return Ok(());
    }
    ready::start_command(session)?;
    with_context(session, &[], |context| {
        let executor = EXECUTOR.enter().map_err(port_error)?;
        executor.check_constraints(&checks, context)
    })
}

/// 55006: the schema of a table for which checks wait stays as it is.
pub fn refuse_pending(
    session: &mut Session,
    table: Oid,
    name: &str,
    command: &str,
) -> Result<(), SqlError> {
    match session.notes.deferred.get_mut().concerns(table) {
        false => Ok(()),
        true => Err(SqlError::new(
            SqlState::OBJECT_IN_USE,
            format!("cannot {command} \"{name}\" because it has pending trigger events"),
        )),
    }
}
