//! OVERLAPS of two periods.

use super::args::{arg, yes};
use super::dates::time_shift;
use crate::context::Call;
use crate::function::{Function, f};
use pg_types::datetime::{add_interval, timestamptz_add_interval};
use pg_types::oid::*;
use pg_types::{Datum, SqlResult};

/// `(a, b) overlaps (c, d)`; an interval in place of an end counts from the start.
fn overlaps(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let period = |i: usize| -> SqlResult<(Datum, Datum)> {
        let (start, end) = (arg(args, i), arg(args, i + 1));
        let end = match (start, end) {
            (Datum::TimestampTz(t), Datum::Interval(by)) => Datum::TimestampTz(
                timestamptz_add_interval(*t, by, &call.ctx.format().time_zone)?,
            ),
            (Datum::Timestamp(t), Datum::Interval(by)) => Datum::Timestamp(add_interval(*t, by)?),
            (Datum::Time(t), Datum::Interval(by)) => time_shift(*t, by.micros)?,
            _ => end.clone(),
        };
        let start = start.clone();
        // A missing end makes the period its other end; the earlier comes first.
        Ok(
            if start.is_null() || (!end.is_null() && pg_types::compare(&start, &end).is_gt()) {
                (end, start)
            } else {
                (start, end)
            },
        )
    };
    let ((s1, e1), (s2, e2)) = (period(0)?, period(2)?);
    if s1.is_null() || s2.is_null() {
        return Ok(Datum::Null);
    }
    let order = pg_types::compare(&s1, &s2);
    if order.is_eq() {
        return if e1.is_null() || e2.is_null() {
            Ok(Datum::Null)
        } else {
            yes(true)
        };
    }
    let (first_end, later_start, later_end) = if order.is_gt() {
        (&e2, &s1, &e1)
    } else {
        (&e1, &s2, &e2)
    };
    if first_end.is_null() {
        return Ok(Datum::Null);
    }
    if pg_types::compare(later_start, first_end).is_lt() {
        return yes(true);
    }
    if later_end.is_null() {
        Ok(Datum::Null)
    } else {
        yes(false)
    }
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(1304, "overlaps", &[TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ], BOOL, overlaps).lenient(),
    f(2041, "overlaps", &[TIMESTAMP, TIMESTAMP, TIMESTAMP, TIMESTAMP], BOOL, overlaps).lenient(),
    f(1308, "overlaps", &[TIME, TIME, TIME, TIME], BOOL, overlaps).lenient(),
    f(1305, "overlaps", &[TIMESTAMPTZ, INTERVAL, TIMESTAMPTZ, INTERVAL], BOOL, overlaps).lenient().stable(),
    f(1306, "overlaps", &[TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL], BOOL, overlaps).lenient().stable(),
    f(1307, "overlaps", &[TIMESTAMPTZ, INTERVAL, TIMESTAMPTZ, TIMESTAMPTZ], BOOL, overlaps).lenient().stable(),
    f(1309, "overlaps", &[TIME, INTERVAL, TIME, INTERVAL], BOOL, overlaps).lenient(),
    f(1310, "overlaps", &[TIME, TIME, TIME, INTERVAL], BOOL, overlaps).lenient(),
    f(1311, "overlaps", &[TIME, INTERVAL, TIME, TIME], BOOL, overlaps).lenient(),
    f(2042, "overlaps", &[TIMESTAMP, INTERVAL, TIMESTAMP, INTERVAL], BOOL, overlaps).lenient(),
    f(2043, "overlaps", &[TIMESTAMP, TIMESTAMP, TIMESTAMP, INTERVAL], BOOL, overlaps).lenient(),
    f(2044, "overlaps", &[TIMESTAMP, INTERVAL, TIMESTAMP, TIMESTAMP], BOOL, overlaps).lenient(),
];
