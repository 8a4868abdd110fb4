//! Built-in views whose rows the sessions know: settings, activity, prepared
//! statements. All other built-in views are the catalog's.

use crate::activity;
use crate::eval::Eval;
use crate::settings::{
    self,
    table::{Context, Kind},
};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_executor_port::VirtualRows;
use pg_plan::Relation;
use pg_types::{Datum, SqlError, oid};

/// The built-in views, as a statement of this session sees them.
pub struct Views<'a>(pub &'a Eval<'a>);

impl VirtualRows for Views<'_> {
    fn rows(&self, relation: &Relation) -> Result<Option<Vec<Vec<Datum>>>, SqlError> {
        let rows = match relation.name.as_str() {
            "pg_settings" => settings_rows(self.0),
            "pg_stat_activity" => activity::sessions(),
            "pg_locks" => activity::locks(),
            "pg_prepared_statements" => prepared(self.0),
            "pg_cursors" => cursors(self.0),
            "pg_stat_database" => activity::database(self.0),
            "pg_stat_bgwriter" => activity::writer(),
            "pg_stat_wal" => activity::log(),
            _ => return Ok(None),
        };
        Ok(Some(
            rows.iter().map(|row| arrange(relation, row)).collect(),
        ))
    }
}

/// A row by the names of its columns.
pub type Named = Vec<(&'static str, Datum)>;

/// Puts a row into the order of the view's columns; what is not known is NULL.
fn arrange(relation: &Relation, row: &Named) -> Vec<Datum> {
    let value = |name: &str| row.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
    let columns = relation.desc.attrs().iter();
    columns
        .map(|a| value(&a.name).unwrap_or(Datum::Null))
        .collect()
}

/// An instant, NULL when there was none.
pub fn instant(micros: i64) -> Datum {
    match micros {
        0 => Datum::Null,
        micros => Datum::TimestampTz(micros),
    }
}

fn settings_rows(eval: &Eval<'_>) -> Vec<Named> {
    let text = |text: Option<String>| text.as_deref().map(Datum::from).unwrap_or_default();
    let rows = settings::SETTINGS.iter().map(|s| {
        let values: &[&str] = match s.kind {
            Kind::Enum(values) => values,
            _ => &[],
        };
        let (kind, unit, from, to) = match s.kind {
            Kind::Bool => ("bool", "", None, None),
            Kind::Int(unit, from, to) => (
                "integer",
                unit,
                Some(from.to_string()),
                Some(to.to_string()),
            ),
            Kind::Real(from, to) => ("real", "", Some(from.to_string()), Some(to.to_string())),
            Kind::Enum(_) => ("enum", "", None, None),
            Kind::Text => ("string", "", None, None),
        };
        let key = s.name.to_ascii_lowercase();
        let source = match eval.settings() {
            set if set.local.contains_key(&key) || set.session.contains_key(&key) => "session",
            set if set.start.contains_key(&key) => "client",
            _ => "default",
        };
        let reset = eval.settings().start.get(&key).cloned();
        let values = values.iter().map(|v| Datum::from(*v)).collect();
        alloc::vec![
            ("name", Datum::from(s.name)),
            (
                "setting",
                text(match s.context {
                    Context::Sighup => Some(settings::system(s.name).into_owned()),
                    _ => settings::raw(eval.settings(), s.name).map(ToString::to_string),
                })
            ),
            (
                "unit",
                if unit.is_empty() {
                    Datum::Null
                } else {
                    Datum::from(unit)
                }
            ),
            ("category", Datum::from("Mitos")),
            ("short_desc", Datum::from("")),
            ("context", Datum::from(s.context.name())),
            ("vartype", Datum::from(kind)),
            ("source", Datum::from(source)),
            ("min_val", text(from)),
            ("max_val", text(to)),
            (
                "enumvals",
                if kind == "enum" {
                    Datum::array(oid::TEXT, values)
                } else {
                    Datum::Null
                }
            ),
            ("boot_val", Datum::from(s.default)),
            (
                "reset_val",
                text(reset.or_else(|| Some(s.default.to_string())))
            ),
            ("pending_restart", Datum::Bool(false)),
        ]
    });
    rows.collect()
}

fn prepared(eval: &Eval<'_>) -> Vec<Named> {
    let rows = eval.statements.iter().map(|(name, statement)| {
        let types = statement
            .ready
            .params
            .iter()
            .map(|t| Datum::Oid(*t))
            .collect();
        alloc::vec![
            ("name", Datum::from(name)),
            ("statement", Datum::from(&*statement.sql)),
            ("prepare_time", instant(statement.made)),
            ("parameter_types", Datum::array(oid::REGTYPE, types)),
            ("from_sql", Datum::Bool(statement.from_sql)),
            ("generic_plans", Datum::Int8(0)),
            ("custom_plans", Datum::Int8(0)),
        ]
    });
    rows.collect()
}

fn cursors(eval: &Eval<'_>) -> Vec<Named> {
    let rows = eval.portals.iter().map(|(name, portal)| {
        alloc::vec![
            ("name", Datum::from(name)),
            ("statement", Datum::from(&*portal.sql)),
            ("is_holdable", Datum::Bool(portal.hold)),
            ("is_binary", Datum::Bool(portal.formats.first() == Some(&1))),
            ("is_scrollable", Datum::Bool(portal.scroll)),
            ("creation_time", instant(portal.made)),
        ]
    });
    rows.collect()
}
