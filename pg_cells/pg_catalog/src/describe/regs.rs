//! `regclass` and its kin: objects by name, names of objects.

use super::names::{qualified, split};
use super::visible::shown_relation;
use crate::Catalogs;
use crate::cache::Named;
use crate::store::{Reader, ids};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_builtins::quote_identifier;
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState, Str, oid};

impl Catalogs {
    /// The object behind a name or a number; NULL when there is none.
    ///
    /// # Errors
    /// 42602; 42725 for a function's name that is not unique.
    pub fn reg_from_name(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        kind: Oid,
        text: &str,
    ) -> SqlResult<Datum> {
        let text = text.trim();
        if text == "-" {
            return Ok(Datum::Oid(0));
        }
        if let Ok(number) = text.parse::<Oid>() {
            return Ok(Datum::Oid(number));
        }
        let found = match kind {
            oid::REGPROC => function_named(text)?,
            oid::REGPROCEDURE => function_signed(text),
            oid::REGOPER => operator_named(text)?,
            _ => self.reg_by_parts(tx, path, kind, &split(text)?)?,
        };
        Ok(found.map_or(Datum::Null, Datum::Oid))
    }

    fn reg_by_parts(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        kind: Oid,
        parts: &[String],
    ) -> SqlResult<Option<Oid>> {
        let (schema, name) = match parts {
            [name] => (None, name.as_str()),
            [schema, name] => (Some(schema.as_str()), name.as_str()),
            [_, schema, name] => (Some(schema.as_str()), name.as_str()),
            _ => return Ok(None),
        };
        match kind {
            oid::REGCLASS => match self.named(tx, path, schema, name) {
                Ok(Named::Relation(relation)) => Ok(Some(relation.oid)),
                Ok(Named::Index(_, oid)) => Ok(Some(oid)),
                Ok(Named::Nothing) => Ok(None),
                Err(error) if error.code() == SqlState::UNDEFINED_SCHEMA => Ok(None),
                Err(error) => Err(error),
            },
            oid::REGNAMESPACE => self.schema_oid(tx, name),
            oid::REGROLE => {
                let reader = Reader::new(&self.system, tx)?;
                let row = reader.one(ids::AUTHID_BY_NAME, &[Datum::text(name)])?;
                Ok(row.map(|r| r.oid("oid")))
            }
            oid::REGTYPE => {
                let found = self.find_user_type(tx, path, schema, name)?;
                Ok(found.map(|t| t.oid))
            }
            oid::REGCOLLATION => Ok(match name {
                "default" => Some(100),
                "C" => Some(950),
                "POSIX" => Some(951),
                _ => None,
            }),
            _ => Ok(None),
        }
    }

    /// The name of an object as its alias type prints it; NULL when there is
    /// none.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn name_of_reg(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        kind: Oid,
        object: Oid,
    ) -> SqlResult<Datum> {
        let key = [Datum::Oid(object)];
        let name = match kind {
            oid::REGCLASS => {
                let reader = Reader::new(&self.system, tx)?;
                match reader.one(ids::CLASS_BY_OID, &key)? {
                    Some(class) => Some(shown_relation(&reader, path, &class)?),
                    None => None,
                }
            }
            oid::REGNAMESPACE => {
                let reader = Reader::new(&self.system, tx)?;
                let row = reader.one(ids::NAMESPACE_BY_OID, &key)?;
                row.map(|r| quote_identifier(r.text("nspname")))
            }
            oid::REGROLE => {
                let reader = Reader::new(&self.system, tx)?;
                let row = reader.one(ids::AUTHID_BY_OID, &key)?;
                row.map(|r| quote_identifier(r.text("rolname")))
            }
            oid::REGPROC => pg_builtins::function_by_oid(object).map(|f| {
                match pg_builtins::functions_named(f.name).count() {
                    1 => quote_identifier(f.name),
                    _ => qualified("pg_catalog", f.name),
                }
            }),
            oid::REGPROCEDURE => pg_builtins::function_by_oid(object).map(|f| {
                let args: Vec<String> = f
                    .args
                    .iter()
                    .map(|t| pg_types::format_type(*t, -1))
                    .collect();
                alloc::format!("{}({})", quote_identifier(f.name), args.join(","))
            }),
            oid::REGOPER => pg_builtins::operator_by_oid(object).map(|o| {
                match pg_builtins::operators_named(o.name).count() {
                    1 => o.name.to_string(),
                    _ => alloc::format!("pg_catalog.{}", o.name),
                }
            }),
            oid::REGCOLLATION => match object {
                100 => Some("\"default\"".to_string()),
                950 => Some("\"C\"".to_string()),
                951 => Some("\"POSIX\"".to_string()),
                _ => None,
            },
            _ => None,
        };
        Ok(name.map_or(Datum::Null, Datum::text))
    }
}

fn bare(text: &str) -> &str {
    text.strip_prefix("pg_catalog.").unwrap_or(text)
}

fn function_named(text: &str) -> SqlResult<Option<Oid>> {
    let parts = split(text)?;
    let Some(name) = parts.last() else {
        return Ok(None);
    };
    if parts.len() > 1 && parts[0] != "pg_catalog" {
        return Ok(None);
    }
    let mut found = pg_builtins::functions_named(name);
    let first = found.next().map(|f| f.oid);
    if found.next().is_some() {
        return Err(SqlError::new(
            SqlState::AMBIGUOUS_FUNCTION,
            alloc::format!("more than one function named \"{text}\""),
        ));
    }
    Ok(first)
}

fn function_signed(text: &str) -> Option<Oid> {
    let (name, rest) = bare(text).split_once('(')?;
    let args = rest.trim_end().strip_suffix(')')?.trim();
    let mut types = Vec::new();
    for arg in args.split(',').map(str::trim).filter(|a| !a.is_empty()) {
        types.push(pg_builtins::system::builtin_type(arg)?);
    }
    let mut all = pg_builtins::functions_named(name.trim());
    all.find(|f| f.args == types).map(|f| f.oid)
}

fn operator_named(text: &str) -> SqlResult<Option<Oid>> {
    let mut found = pg_builtins::operators_named(bare(text));
    let first = found.next().map(|o| o.oid);
    if found.next().is_some() {
        return Err(SqlError::new(
            SqlState::AMBIGUOUS_FUNCTION,
            alloc::format!("more than one operator named {text}"),
        ));
    }
    Ok(first)
}
