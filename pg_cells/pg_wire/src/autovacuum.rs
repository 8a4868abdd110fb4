//! What is to be vacuumed and analyzed without being asked: PostgreSQL's thresholds
//! over the counters of tables, with the table's own storage parameters.

use crate::{ddl, fail, maintain, settings, simple, transaction};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_catalog_port::SHARED;
use pg_plan::Counts;
use pg_types::{Datum, Oid, SqlError};
use pg_wire_port::{Due, Session, State};

/// How long one nap is, in nanoseconds; none when nobody is to vacuum by himself.
pub fn pause() -> Option<u64> {
    let seconds = settings::system_number("autovacuum_naptime");
    (settings::system("autovacuum") == "on").then_some((seconds * 1e9) as u64)
}

/// A number of a setting, which a table's storage parameter of the same name replaces.
fn number(name: &str, options: &[String]) -> f64 {
    let own = options.iter().find_map(|option| {
        let (key, value) = option.split_once('=')?;
        (key == name).then(|| value.parse::<f64>().ok()).flatten()
    });
    own.unwrap_or_else(|| settings::system_number(name))
}

/// Whether a table's parameters forbid it.
fn is_disabled(options: &[String]) -> bool {
    options.iter().any(|option| {
        let value = option.strip_prefix("autovacuum_enabled=");
        value.and_then(settings::boolean) == Some(false)
    })
}

/// What a table of so many rows needs, after these changes.
fn judge(table: Oid, rows: f64, counts: &Counts, options: &[String]) -> Option<Due> {
    if is_disabled(options) {
        return None;
    }
    let beyond = |count: f64, of: &str| {
        let base = number(&format!("autovacuum_{of}_threshold"), options);
        let scale = number(&format!("autovacuum_{of}_scale_factor"), options);
        // Below zero: never (`autovacuum_vacuum_insert_threshold`).
        base >= 0.0 && count > base + scale * rows.max(0.0)
    };
    let due = Due {
        table,
        vacuum: beyond(counts.dead as f64, "vacuum")
            || beyond(counts.fresh as f64, "vacuum_insert"),
        analyze: beyond(counts.changed as f64, "analyze"),
    };
    (due.vacuum || due.analyze).then_some(due)
}

/// See [`pg_wire_port::Wire::vacuum_due`].
pub fn due(session: &mut Session) -> Vec<Due> {
    settings::refresh(session);
    let found = look(session);
    let found = found.and_then(|due| transaction::finish(session).map(|()| due));
    found.unwrap_or_else(|error| {
        ended(session, &error);
        Vec::new()
    })
}

fn look(session: &mut Session) -> Result<Vec<Due>, SqlError> {
    simple::begin(session, "autovacuum: what is due");
    let changed = SHARED.changed();
    let classes = ddl::query(
        session,
        "SELECT oid, reltuples, reloptions FROM pg_catalog.pg_class \
         WHERE relkind = 'r' ORDER BY oid",
    )?;
    let mut due = Vec::new();
    for class in classes {
        let [oid, rows, options] = &class[..] else {
            continue;
        };
        let Some((table, counts)) = oid.as_oid().and_then(|o| Some((o, changed.get(&o)?))) else {
            continue;
        };
        let rows = match rows {
            Datum::Float4(rows) => f64::from(*rows),
            _ => 0.0,
        };
        let options: Vec<String> = match options.as_array() {
            Some(array) => {
                let texts = array.items.iter().filter_map(Datum::as_str);
                texts.map(String::from).collect()
            }
            None => Vec::new(),
        };
        due.extend(judge(table, rows, counts, &options));
    }
    Ok(due)
}

/// See [`pg_wire_port::Wire::vacuum`].
pub fn run(session: &mut Session, due: &Due) {
    let verb = match (due.vacuum, due.analyze) {
        (true, true) => "VACUUM ANALYZE",
        (true, false) => "VACUUM",
        (false, _) => "ANALYZE",
    };
    simple::begin(
        session,
        &format!("autovacuum: {verb} of table {}", due.table),
    );
    settings::refresh(session);
    if let Err(error) = maintain::by_itself(session, due) {
        ended(session, &error);
    }
    session.entry.activity.lock().state = State::Idle;
}

/// It ended with an error, of which nobody is there to be told.
fn ended(session: &mut Session, error: &SqlError) {
    if error.code() != pg_types::SqlState::QUERY_CANCELED {
        log::warn!("autovacuum: {}", error.message());
    }
    fail(session, error);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(dead: i64, changed: u64, fresh: u64) -> Counts {
        Counts {
            dead,
            changed,
            fresh,
            ..Counts::default()
        }
    }

    fn verdict(rows: f64, counts: &Counts, options: &[&str]) -> Option<(bool, bool)> {
        let options: Vec<String> = options.iter().map(|o| String::from(*o)).collect();
        judge(7, rows, counts, &options).map(|d| (d.vacuum, d.analyze))
    }

    #[test]
    fn thresholds_are_postgresqls() {
        let rows = 1000.0;
        assert_eq!(verdict(rows, &after(250, 150, 1200), &[]), None);
        assert_eq!(verdict(rows, &after(251, 0, 0), &[]), Some((true, false)));
        assert_eq!(verdict(rows, &after(0, 151, 0), &[]), Some((false, true)));
        assert_eq!(verdict(rows, &after(0, 0, 1201), &[]), Some((true, false)));
        // Never analyzed: -1.
        assert_eq!(verdict(-1.0, &after(51, 51, 0), &[]), Some((true, true)));
        assert_eq!(verdict(-1.0, &after(50, 50, 1000), &[]), None);
    }

    #[test]
    fn a_tables_parameters_come_first() {
        let counts = after(300, 300, 3000);
        for off in ["off", "false", "FALSE", "0"] {
            let off = format!("autovacuum_enabled={off}");
            assert_eq!(verdict(0.0, &counts, &[&off]), None);
        }
        let own = [
            "fillfactor=70",
            "autovacuum_vacuum_threshold=300",
            "autovacuum_vacuum_insert_threshold=-1",
        ];
        assert_eq!(verdict(0.0, &counts, &own), Some((false, true)));
        let own = ["autovacuum_vacuum_scale_factor=0"];
        assert_eq!(verdict(1000.0, &after(51, 0, 0), &own), Some((true, false)));
    }
}
