//! Values of parameters: reading what users write, and what it means.

use super::table::{Kind, Setting};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_types::datetime::TimeZone;
use pg_types::settings::{ByteaOutput, DateFormat, DateOrder, IntervalStyle};
use pg_types::{FormatSettings, SqlError, SqlState};

/// The value as it is kept: checked, and in its usual spelling.
pub fn check(setting: &Setting, text: &str) -> Result<String, SqlError> {
    let text = text.trim();
    match setting.kind {
        Kind::Bool => boolean(text).map(|on| if on { "on" } else { "off" }.to_string()),
        Kind::Int(unit, from, to) => return integer(setting, text, unit, from, to),
        Kind::Real(from, to) => return real(setting, text, from, to),
        Kind::Enum(values) => {
            let exact = values.iter().find(|v| v.eq_ignore_ascii_case(text));
            let switch = || {
                let name = if boolean(text)? { "on" } else { "off" };
                values.iter().find(|v| **v == name)
            };
            exact.or_else(switch).map(ToString::to_string)
        }
        Kind::Text => return self::text(setting, text),
    }
    .ok_or_else(|| refused(setting, text))
}

fn refused(setting: &Setting, text: &str) -> SqlError {
    let error = match setting.kind {
        Kind::Bool => format!("parameter \"{}\" requires a Boolean value", setting.name),
        _ => format!(
            "invalid value for parameter \"{}\": \"{text}\"",
            setting.name
        ),
    };
    let error = SqlError::new(SqlState::INVALID_PARAMETER_VALUE, error);
    match setting.kind {
        Kind::Enum(values) => error.with_hint(format!("Available values: {}.", values.join(", "))),
        _ => error,
    }
}

/// A Boolean, as PostgreSQL reads it: unique beginnings suffice.
pub fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let begins = |word: &str, least: usize| lower.len() >= least && word.starts_with(&lower);
    match lower.as_str() {
        "1" => Some(true),
        "0" => Some(false),
        _ if begins("true", 1) || begins("yes", 1) || begins("on", 2) => Some(true),
        _ if begins("false", 1) || begins("no", 1) || begins("off", 2) => Some(false),
        _ => None,
    }
}

/// How many of the unit's smallest parts a suffix stands for; the two families
/// do not mix.
fn factor(suffix: &str) -> Option<(f64, bool)> {
    Some(match suffix {
        "B" => (1.0, true),
        "kB" => (1024.0, true),
        "8kB" => (8192.0, true),
        "MB" => (1_048_576.0, true),
        "GB" => (1_073_741_824.0, true),
        "TB" => (1_099_511_627_776.0, true),
        "us" => (0.001, false),
        "ms" => (1.0, false),
        "s" => (1000.0, false),
        "min" => (60_000.0, false),
        "h" => (3_600_000.0, false),
        "d" => (86_400_000.0, false),
        _ => return None,
    })
}

fn integer(s: &Setting, text: &str, unit: &str, from: i64, to: i64) -> Result<String, SqlError> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E' | 'x'));
    let (number, suffix) = text.split_at(digits.unwrap_or(text.len()));
    let number: f64 = match number.trim().strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).map_err(|_| refused(s, text))? as f64,
        None => number.trim().parse().map_err(|_| refused(s, text))?,
    };
    let scaled = match (suffix.trim(), factor(unit)) {
        ("", _) => number,
        (suffix, Some((one, memory))) => match factor(suffix) {
            Some((given, same)) if same == memory => number * given / one,
            _ => return Err(refused(s, text)),
        },
        _ => return Err(refused(s, text)),
    };
    let value = round(scaled);
    if !(from..=to).contains(&value) {
        let unit = if unit.is_empty() {
            String::new()
        } else {
            format!(" {unit}")
        };
        return Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!(
                "{value}{unit} is outside the valid range for parameter \"{}\" ({from} .. {to})",
                s.name
            ),
        ));
    }
    Ok(value.to_string())
}

/// To the nearest whole number, away from zero in the middle.
fn round(value: f64) -> i64 {
    let half = if value < 0.0 { -0.5 } else { 0.5 };
    (value + half) as i64
}

fn real(s: &Setting, text: &str, from: f64, to: f64) -> Result<String, SqlError> {
    let value: f64 = text.parse().map_err(|_| refused(s, text))?;
    if !(from..=to).contains(&value) {
        return Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!(
                "{value} is outside the valid range for parameter \"{}\" ({from} .. {to})",
                s.name
            ),
        ));
    }
    Ok(value.to_string())
}

/// Texts that mean something are checked by it.
fn text(s: &Setting, text: &str) -> Result<String, SqlError> {
    match s.name {
        "TimeZone" => {
            let zone = zone(text).ok_or_else(|| refused(s, text))?;
            Ok(zone.name().to_string())
        }
        "DateStyle" => {
            let mut format = FormatSettings::default();
            date_style(&mut format, text).ok_or_else(|| refused(s, text))?;
            Ok(date_style_name(&format))
        }
        "client_encoding" => match text.replace(['-', '_'], "").to_ascii_uppercase().as_str() {
            "UTF8" | "UNICODE" | "SQLASCII" => Ok(String::from("UTF8")),
            _ => Err(SqlError::unsupported(format!("client encoding \"{text}\""))),
        },
        _ => Ok(text.to_string()),
    }
}

fn zone(text: &str) -> Option<TimeZone> {
    if text.eq_ignore_ascii_case("default") || text.eq_ignore_ascii_case("local") {
        return Some(TimeZone::utc());
    }
    // A plain number of hours counts eastward, unlike in a POSIX name.
    match text.parse::<f64>() {
        Ok(hours) if (-168.0..=168.0).contains(&hours) => i32::try_from(round(hours * 3600.0))
            .ok()
            .map(TimeZone::fixed),
        _ => TimeZone::from_name(text),
    }
}

fn date_style(format: &mut FormatSettings, text: &str) -> Option<()> {
    for word in text.split(',') {
        let word = word.trim();
        let lower = match word {
            "ISO" => Cow::Borrowed("iso"),
            "MDY" => Cow::Borrowed("mdy"),
            other => Cow::Owned(other.to_ascii_lowercase()),
        };
        match &*lower {
            "iso" => format.date_format = DateFormat::Iso,
            "sql" => format.date_format = DateFormat::Sql,
            "postgres" => format.date_format = DateFormat::Postgres,
            "german" => {
                format.date_format = DateFormat::German;
                format.date_order = DateOrder::Dmy;
            }
            "mdy" | "us" | "noneuro" | "noneuropean" => format.date_order = DateOrder::Mdy,
            "dmy" | "euro" | "european" => format.date_order = DateOrder::Dmy,
            "ymd" => format.date_order = DateOrder::Ymd,
            "default" => *format = FormatSettings::default(),
            _ => return None,
        }
    }
    Some(())
}

fn date_style_name(format: &FormatSettings) -> String {
    let style = match format.date_format {
        DateFormat::Iso => "ISO",
        DateFormat::Sql => "SQL",
        DateFormat::Postgres => "Postgres",
        DateFormat::German => "German",
    };
    let order = match format.date_order {
        DateOrder::Mdy => "MDY",
        DateOrder::Dmy => "DMY",
        DateOrder::Ymd => "YMD",
    };
    format!("{style}, {order}")
}

/// How values are written under these parameters.
pub fn format_settings<'a>(get: impl Fn(&str) -> &'a str) -> FormatSettings {
    let mut format = FormatSettings::default();
    let _ = date_style(&mut format, get("datestyle"));
    format.interval_style = match get("intervalstyle") {
        "postgres_verbose" => IntervalStyle::PostgresVerbose,
        "sql_standard" => IntervalStyle::SqlStandard,
        "iso_8601" => IntervalStyle::Iso8601,
        _ => IntervalStyle::Postgres,
    };
    format.bytea_output = match get("bytea_output") {
        "escape" => ByteaOutput::Escape,
        _ => ByteaOutput::Hex,
    };
    format.extra_float_digits = get("extra_float_digits").parse().unwrap_or(1);
    format.time_zone = zone(get("timezone")).unwrap_or_else(TimeZone::utc);
    format
}

/// A number with the largest unit that fits, as SHOW prints it.
pub fn shown(kind: Kind, value: &str) -> Cow<'_, str> {
    let (Kind::Int(unit, ..), Ok(number)) = (kind, value.parse::<i64>()) else {
        return Cow::Borrowed(value);
    };
    let steps: &[(&str, i64)] = match unit {
        "ms" | "s" => &[
            ("d", 86_400_000),
            ("h", 3_600_000),
            ("min", 60_000),
            ("s", 1000),
            ("ms", 1),
        ],
        "B" | "kB" | "8kB" => &[
            ("TB", 1 << 40),
            ("GB", 1 << 30),
            ("MB", 1 << 20),
            ("kB", 1 << 10),
            ("B", 1),
        ],
        _ => return Cow::Borrowed(value),
    };
    let one = match unit {
        "s" => 1000,
        "kB" => 1024,
        "8kB" => 8192,
        _ => 1,
    };
    if number <= 0 {
        return Cow::Borrowed(value);
    }
    let whole = number.saturating_mul(one);
    let fits = steps.iter().find(|(_, size)| whole % size == 0);
    match fits {
        Some((name, size)) => Cow::Owned(format!("{}{name}", whole / size)),
        None => Cow::Borrowed(value),
    }
}

/// Names of a list such as `search_path`: quotes taken off, others in lower case.
pub fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(core::mem::take(&mut name)),
            c if quoted => name.push(c),
            c if c.is_whitespace() => {}
            c => name.extend(c.to_lowercase()),
        }
    }
    names.push(name);
    names.retain(|n| !n.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::super::table::find;
    use super::*;

    fn set(name: &str, value: &str) -> Result<String, SqlError> {
        check(find(name).unwrap(), value)
    }

    #[test]
    fn units_are_converted_and_shown() {
        assert_eq!(set("statement_timeout", "1.5s").unwrap(), "1500");
        assert_eq!(set("work_mem", "64MB").unwrap(), "65536");
        assert_eq!(set("work_mem", " 100 ").unwrap(), "100");
        assert!(set("work_mem", "1s").is_err());
        assert!(set("work_mem", "1").is_err());
        assert!(set("max_parallel_workers_per_gather", "2 kB").is_err());
        let shown =
            |name: &str, value: &str| super::shown(find(name).unwrap().kind, value).into_owned();
        assert_eq!(shown("statement_timeout", "1500"), "1500ms");
        assert_eq!(shown("statement_timeout", "120000"), "2min");
        assert_eq!(shown("work_mem", "4096"), "4MB");
        assert_eq!(shown("effective_cache_size", "524288"), "4GB");
        assert_eq!(shown("statement_timeout", "0"), "0");
    }

    #[test]
    fn words_are_read_as_postgresql_reads_them() {
        assert_eq!(set("jit", "ye").unwrap(), "on");
        assert!(set("jit", "o").is_err());
        assert_eq!(set("synchronous_commit", "false").unwrap(), "off");
        assert!(set("IntervalStyle", "roman").is_err());
        assert_eq!(set("DateStyle", "german").unwrap(), "German, DMY");
        assert_eq!(set("DateStyle", "ymd").unwrap(), "ISO, YMD");
        assert!(set("DateStyle", "roman").is_err());
        assert!(set("TimeZone", "Mars/Olympus").is_err());
        assert_eq!(set("client_encoding", "utf-8").unwrap(), "UTF8");
        assert!(set("client_encoding", "LATIN1").is_err());
    }

    #[test]
    fn lists_of_names_are_split() {
        assert_eq!(names("\"$user\", Public"), ["$user", "public"]);
        assert_eq!(names("\"a,\"\"B\",c"), ["a,\"B", "c"]);
        assert!(names(" ").is_empty());
    }
}
