//! The wording of constraint violations, as PostgreSQL's clients expect it.

use crate::env::Env;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_plan::{Index, Relation};
use pg_types::{Datum, FormatSettings, Oid, SqlError, SqlState};

/// Longest value shown in a detail, in characters.
const SHOWN: usize = 64;

/// 23502.
pub fn not_null(relation: &Relation, column: usize, row: &[Datum], env: &Env<'_>) -> SqlError {
    let name = relation
        .desc
        .attrs()
        .get(column)
        .map_or(String::new(), |a| String::from(&*a.name));
    SqlError::new(
        SqlState::NOT_NULL_VIOLATION,
        format!(
            "null value in column \"{name}\" of relation \"{}\" violates not-null constraint",
            relation.name
        ),
    )
    .with_detail(failing_row(relation, row, env.session.format()))
    .with_table(relation.schema.clone(), relation.name.clone())
    .with_column(name)
}

/// 23514.
pub fn check(relation: &Relation, name: &str, row: &[Datum], env: &Env<'_>) -> SqlError {
    SqlError::new(
        SqlState::CHECK_VIOLATION,
        format!(
            "new row for relation \"{}\" violates check constraint \"{name}\"",
            relation.name
        ),
    )
    .with_detail(failing_row(relation, row, env.session.format()))
    .with_table(relation.schema.clone(), relation.name.clone())
    .with_constraint(name)
}

/// 23505.
pub fn duplicate(relation: &Relation, index: &Index, key: &[Datum], env: &Env<'_>) -> SqlError {
    let name = index.constraint.as_deref().unwrap_or(&index.name);
    SqlError::new(
        SqlState::UNIQUE_VIOLATION,
        format!("duplicate key value violates unique constraint \"{name}\""),
    )
    .with_detail(format!(
        "{} already exists.",
        key_text(relation, index, key, env.session.format())
    ))
    .with_table(relation.schema.clone(), relation.name.clone())
    .with_constraint(name)
}

/// 23505 of an index that is being built.
pub fn not_unique(
    relation: &Relation,
    index: &Index,
    key: &[Datum],
    settings: &FormatSettings,
) -> SqlError {
    SqlError::new(
        SqlState::UNIQUE_VIOLATION,
        format!("could not create unique index \"{}\"", index.name),
    )
    .with_detail(format!(
        "{} is duplicated.",
        key_text(relation, index, key, settings)
    ))
    .with_table(relation.schema.clone(), relation.name.clone())
    .with_constraint(index.name.clone())
}

/// `Key (a, b)=(1, x)`.
fn key_text(
    relation: &Relation,
    index: &Index,
    key: &[Datum],
    settings: &FormatSettings,
) -> String {
    let names: Vec<String> = index
        .keys
        .iter()
        .map(|column| column_name(relation, column))
        .collect();
    let text = |(value, ty): (&Datum, Oid)| {
        pg_types::to_text(value, ty, settings).unwrap_or_else(|| String::from("null"))
    };
    let values: Vec<String> = key
        .iter()
        .zip(index.keys.iter().map(|k| k.type_oid))
        .map(text)
        .collect();
    format!("Key ({})=({})", names.join(", "), values.join(", "))
}

fn column_name(relation: &Relation, column: &pg_plan::IndexColumn) -> String {
    if let Some(text) = &column.expression {
        return match pg_plan::is_call(text) {
            true => text.clone(),
            false => format!("({})", pg_plan::unparenthesized(text)),
        };
    }
    let at = usize::try_from(column.attribute - 1).unwrap_or(usize::MAX);
    relation
        .desc
        .attrs()
        .get(at)
        .map_or_else(|| String::from("?"), |a| String::from(&*a.name))
}

/// `Failing row contains (1, null, ...).`
fn failing_row(relation: &Relation, row: &[Datum], settings: &FormatSettings) -> String {
    let mut parts = Vec::new();
    for (attr, value) in relation.desc.attrs().iter().zip(row) {
        if attr.dropped {
            continue;
        }
        parts.push(match pg_types::to_text(value, attr.type_oid, settings) {
            None => String::from("null"),
            Some(text) if text.chars().count() > SHOWN => {
                text.chars().take(SHOWN).chain("...".chars()).collect()
            }
            Some(text) => text,
        });
    }
    format!("Failing row contains ({}).", parts.join(", "))
}
