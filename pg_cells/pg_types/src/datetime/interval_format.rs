//! Text forms of intervals in the four interval styles.

use super::format::put_fraction;
use crate::datum::Interval;
use crate::settings::IntervalStyle;
use alloc::string::String;
use core::fmt::Write;

// Writing to a String cannot fail, so the results of `write!` below are dropped.

struct Parts {
    years: i32,
    months: i32,
    days: i32,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Parts {
    fn of(i: &Interval) -> Parts {
        let seconds = i.micros / 1_000_000;
        Parts {
            years: i.months / 12,
            months: i.months % 12,
            days: i.days,
            hours: seconds / 3600,
            minutes: seconds / 60 % 60,
            seconds: seconds % 60,
            micros: i.micros % 1_000_000,
        }
    }

    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.seconds != 0 || self.micros != 0
    }

    fn time_is_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.micros < 0
    }
}

/// Appends an interval.
pub fn format_interval(out: &mut String, i: &Interval, style: IntervalStyle) {
    let parts = Parts::of(i);
    match style {
        IntervalStyle::Postgres => postgres(out, &parts),
        IntervalStyle::PostgresVerbose => verbose(out, &parts),
        IntervalStyle::SqlStandard => sql_standard(out, &parts),
        IntervalStyle::Iso8601 => iso(out, &parts),
    }
}

/// `hh:mm:ss.ffffff` of the absolute values.
fn clock(out: &mut String, p: &Parts, pad: bool) {
    let (h, m, s) = (
        p.hours.unsigned_abs(),
        p.minutes.unsigned_abs(),
        p.seconds.unsigned_abs(),
    );
    let _ = if pad {
        write!(out, "{h:02}:{m:02}:{s:02}")
    } else {
        write!(out, "{h}:{m:02}:{s:02}")
    };
    put_fraction(out, p.micros.abs());
}

fn postgres(out: &mut String, p: &Parts) {
    let start = out.len();
    let mut before_negative = false;
    for (value, unit) in [(p.years, "year"), (p.months, "mon"), (p.days, "day")] {
        if value == 0 {
            continue;
        }
        if out.len() > start {
            out.push(' ');
        }
        // A positive part behind a negative one shows its sign.
        let plus = if before_negative && value > 0 {
            "+"
        } else {
            ""
        };
        let plural = if value == 1 { "" } else { "s" };
        let _ = write!(out, "{plus}{value} {unit}{plural}");
        before_negative = value < 0;
    }
    if p.has_time() || out.len() == start {
        if out.len() > start {
            out.push(' ');
        }
        if p.time_is_negative() {
            out.push('-');
        } else if before_negative {
            out.push('+');
        }
        clock(out, p, true);
    }
}

fn verbose(out: &mut String, p: &Parts) {
    out.push('@');
    let start = out.len();
    // The first part decides whether the whole is "ago"; later signs are relative to it.
    let mut ago: Option<bool> = None;
    let units = [
        (i64::from(p.years), "year"),
        (i64::from(p.months), "mon"),
        (i64::from(p.days), "day"),
        (p.hours, "hour"),
        (p.minutes, "min"),
    ];
    for (value, unit) in units {
        if value == 0 {
            continue;
        }
        let flip = *ago.get_or_insert(value < 0);
        let shown = if flip { -value } else { value };
        let plural = if shown == 1 { "" } else { "s" };
        let _ = write!(out, " {shown} {unit}{plural}");
    }
    if p.seconds != 0 || p.micros != 0 {
        let negative = p.seconds < 0 || p.micros < 0;
        let flip = *ago.get_or_insert(negative);
        let sign = if negative != flip { "-" } else { "" };
        let _ = write!(out, " {sign}{}", p.seconds.unsigned_abs());
        put_fraction(out, p.micros.abs());
        let plural = if p.seconds.abs() == 1 && p.micros == 0 {
            ""
        } else {
            "s"
        };
        let _ = write!(out, " sec{plural}");
    }
    if out.len() == start {
        out.push_str(" 0");
    }
    if ago == Some(true) {
        out.push_str(" ago");
    }
}

fn sql_standard(out: &mut String, p: &Parts) {
    let negative = p.years < 0 || p.months < 0 || p.days < 0 || p.time_is_negative();
    let positive =
        p.years > 0 || p.months > 0 || p.days > 0 || (p.has_time() && !p.time_is_negative());
    let year_month = p.years != 0 || p.months != 0;
    let day_time = p.days != 0 || p.has_time();
    if !negative && !positive {
        return out.push('0');
    }
    if (negative && positive) || (year_month && day_time) {
        // Mixed: every group shows its sign.
        let ym = if p.years < 0 || p.months < 0 {
            '-'
        } else {
            '+'
        };
        let d = if p.days < 0 { '-' } else { '+' };
        let t = if p.time_is_negative() { '-' } else { '+' };
        let (y, m) = (p.years.unsigned_abs(), p.months.unsigned_abs());
        let _ = write!(out, "{ym}{y}-{m} {d}{} {t}", p.days.unsigned_abs());
        return clock(out, p, false);
    }
    if negative {
        out.push('-');
    }
    if year_month {
        let _ = write!(
            out,
            "{}-{}",
            p.years.unsigned_abs(),
            p.months.unsigned_abs()
        );
    } else {
        if p.days != 0 {
            let _ = write!(out, "{} ", p.days.unsigned_abs());
        }
        clock(out, p, false);
    }
}

fn iso(out: &mut String, p: &Parts) {
    out.push('P');
    let start = out.len();
    for (value, unit) in [(p.years, 'Y'), (p.months, 'M'), (p.days, 'D')] {
        if value != 0 {
            let _ = write!(out, "{value}{unit}");
        }
    }
    if p.has_time() {
        out.push('T');
        for (value, unit) in [(p.hours, 'H'), (p.minutes, 'M')] {
            if value != 0 {
                let _ = write!(out, "{value}{unit}");
            }
        }
        if p.seconds != 0 || p.micros != 0 {
            if p.seconds < 0 || p.micros < 0 {
                out.push('-');
            }
            let _ = write!(out, "{}", p.seconds.unsigned_abs());
            put_fraction(out, p.micros.abs());
            out.push('S');
        }
    } else if out.len() == start {
        out.push_str("T0S");
    }
}
