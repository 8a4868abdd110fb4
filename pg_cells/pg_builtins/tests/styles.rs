//! Text forms under DateStyle, IntervalStyle and their kin, as PostgreSQL 15 writes them.

mod eval;

use pg_types::FormatSettings;
use pg_types::datetime::TimeZone;
use pg_types::settings::{ByteaOutput, DateFormat, DateOrder, IntervalStyle};

fn settings(key: &str, value: &str) -> FormatSettings {
    let mut s = FormatSettings::default();
    match key {
        "datestyle" => {
            let (format, order) = value.split_once(", ").expect("two words");
            s.date_format = match format {
                "ISO" => DateFormat::Iso,
                "SQL" => DateFormat::Sql,
                "German" => DateFormat::German,
                _ => DateFormat::Postgres,
            };
            s.date_order = if order == "DMY" {
                DateOrder::Dmy
            } else {
                DateOrder::Mdy
            };
        }
        "intervalstyle" => {
            s.interval_style = match value {
                "postgres" => IntervalStyle::Postgres,
                "postgres_verbose" => IntervalStyle::PostgresVerbose,
                "sql_standard" => IntervalStyle::SqlStandard,
                _ => IntervalStyle::Iso8601,
            };
        }
        "bytea_output" => {
            s.bytea_output = if value == "hex" {
                ByteaOutput::Hex
            } else {
                ByteaOutput::Escape
            }
        }
        "extra_float_digits" => s.extra_float_digits = value.parse().expect("a number"),
        "timezone" => s.time_zone = TimeZone::for_setting(value).expect("a zone"),
        _ => panic!("{key}"),
    }
    s
}

#[test]
fn styles() {
    let mut lines = include_str!("golden/styles.txt")
        .lines()
        .filter(|l| !l.starts_with('#'));
    let (mut count, mut wrong) = (0, Vec::new());
    while let (Some(case), Some(expected)) = (lines.next(), lines.next()) {
        count += 1;
        let (setting, expression) = case.split_once(" | ").expect("a setting");
        let (key, value) = setting.split_once('=').expect("a value");
        let got = match eval::evaluate_with(expression, settings(key, value)) {
            Ok((_, text)) => format!("= {text}"),
            Err(e) => format!("! {e}"),
        };
        if got != expected {
            wrong.push(format!("{case}\n  expected {expected}\n  got      {got}"));
        }
    }
    assert!(count > 100);
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
