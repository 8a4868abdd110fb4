//! Window frames: the rows of a partition that a call sees from one row.

use super::Partition;
use crate::builtins::Call;
use crate::env::Env;
use crate::expr::{Code, compile, type_of};
use crate::op::Builder;
use alloc::format;
use core::cmp::Ordering;
use core::ops::Range;
use pg_plan::{FrameBound, WindowFrame};
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

/// A compiled frame.
pub struct Frame {
    mode: Mode,
    start: Bound,
    end: Bound,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Rows,
    Range,
    Groups,
}

enum Bound {
    First,
    /// An offset with its type and, once a partition starts, its value.
    Preceding(Code, Oid, Datum),
    Current,
    Following(Code, Oid, Datum),
    Last,
}

impl Bound {
    fn compile(bound: &FrameBound, builder: &mut Builder) -> SqlResult<Self> {
        Ok(match bound {
            FrameBound::UnboundedPreceding => Bound::First,
            FrameBound::CurrentRow => Bound::Current,
            FrameBound::UnboundedFollowing => Bound::Last,
            FrameBound::Preceding(e) => {
                Bound::Preceding(compile(e, builder)?, type_of(e), Datum::Null)
            }
            FrameBound::Following(e) => {
                Bound::Following(compile(e, builder)?, type_of(e), Datum::Null)
            }
        })
    }

    fn evaluate(&mut self, what: &str, env: &mut Env<'_>) -> SqlResult<()> {
        if let Bound::Preceding(code, _, value) | Bound::Following(code, _, value) = self {
            *value = code.eval(&[], env)?;
            let refuse = |state, text: &str| {
                Err(SqlError::new(
                    state,
                    format!("frame {what} offset must not be {text}"),
                ))
            };
            if value.is_null() {
                return refuse(SqlState::NULL_VALUE_NOT_ALLOWED, "null");
            }
            let zero = is_negative(value);
            if zero {
                return refuse(SqlState::INVALID_PRECEDING_OR_FOLLOWING_SIZE, "negative");
            }
        }
        Ok(())
    }
}

fn is_negative(value: &Datum) -> bool {
    match value {
        Datum::Float8(v) => *v < 0.0,
        Datum::Float4(v) => *v < 0.0,
        Datum::Numeric(n) => n.signum() < 0,
        Datum::Interval(i) => pg_types::compare::interval_span(i) < 0,
        other => other.as_i64().is_some_and(|v| v < 0),
    }
}

impl Frame {
    /// Compiles a frame.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(frame: &WindowFrame, builder: &mut Builder) -> SqlResult<Self> {
        let mode = match (frame.rows, frame.groups) {
            (true, _) => Mode::Rows,
            (false, true) => Mode::Groups,
            (false, false) => Mode::Range,
        };
        Ok(Frame {
            mode,
            start: Bound::compile(&frame.start, builder)?,
            end: Bound::compile(&frame.end, builder)?,
        })
    }

    /// Evaluates the offsets for a partition.
    ///
    /// # Errors
    /// 22004 and 22013 for NULL and negative offsets.
    pub fn begin(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.start.evaluate("starting", env)?;
        self.end.evaluate("ending", env)
    }

    /// Whether every frame starts with the partition.
    pub fn starts_first(&self) -> bool {
        matches!(self.start, Bound::First)
    }

    /// The rows that row `at` sees.
    ///
    /// # Errors
    /// 0A000 for RANGE offsets of a type without them.
    pub fn rows(&self, part: &Partition, at: usize, env: &Env<'_>) -> SqlResult<Range<usize>> {
        let start = self.edge(&self.start, part, at, false, env)?;
        let end = self.edge(&self.end, part, at, true, env)?.min(part.len());
        Ok(start.min(end)..end)
    }

    /// Where the frame starts, or (with `end`) the row behind its last.
    fn edge(
        &self,
        bound: &Bound,
        part: &Partition,
        at: usize,
        end: bool,
        env: &Env<'_>,
    ) -> SqlResult<usize> {
        let after = usize::from(end);
        Ok(match (bound, self.mode) {
            (Bound::First, _) => 0,
            (Bound::Last, _) => part.len(),
            (Bound::Current, Mode::Rows) => at + after,
            (Bound::Current, _) => side(&part.peers(at), end),
            (Bound::Preceding(_, _, n), Mode::Rows) => (at + after).saturating_sub(count(n)),
            (Bound::Following(_, _, n), Mode::Rows) => {
                at.saturating_add(count(n)).saturating_add(after)
            }
            (Bound::Preceding(_, _, n), Mode::Groups) => {
                match (part.group_of[at] as usize).checked_sub(count(n)) {
                    Some(group) => side(&part.group(group), end),
                    None => 0,
                }
            }
            (Bound::Following(_, _, n), Mode::Groups) => {
                let group = (part.group_of[at] as usize).saturating_add(count(n));
                if group >= part.groups() {
                    part.len()
                } else {
                    side(&part.group(group), end)
                }
            }
            (Bound::Preceding(_, ty, n), Mode::Range) => range(part, at, n, *ty, true, end, env)?,
            (Bound::Following(_, ty, n), Mode::Range) => range(part, at, n, *ty, false, end, env)?,
        })
    }
}

fn side(range: &Range<usize>, end: bool) -> usize {
    if end { range.end } else { range.start }
}

fn count(value: &Datum) -> usize {
    value
        .as_i64()
        .and_then(|v| usize::try_from(v).ok())
        .unwrap_or(usize::MAX)
}

/// The edge of a RANGE frame with an offset: by the value of the only ORDER BY
/// key, plus or minus the offset.
fn range(
    part: &Partition,
    at: usize,
    offset: &Datum,
    offset_type: Oid,
    preceding: bool,
    end: bool,
    env: &Env<'_>,
) -> SqlResult<usize> {
    let [order] = part.orders.as_slice() else {
        return Err(SqlError::new(
            SqlState::WINDOWING_ERROR,
            "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
        ));
    };
    let key = &part.order_keys.row(at)[0];
    if key.is_null() {
        // NULLs are each other's peers and see nothing else.
        return Ok(side(&part.peers(at), end));
    }
    let minus = preceding != order.descending;
    let limit = shifted(key, order.type_oid, offset, offset_type, minus, env)?;
    let before = |i: usize| {
        let other = &part.order_keys.row(i)[0];
        match order.compare(other, &limit) {
            Ordering::Less => true,
            Ordering::Equal => end,
            Ordering::Greater => false,
        }
    };
    // The keys are sorted, so the edge is found by halving.
    let (mut low, mut high) = (0, part.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1
        } else {
            high = middle
        }
    }
    Ok(low)
}

/// `key - offset` or `key + offset`, by the operator of their types.
fn shifted(
    key: &Datum,
    key_type: Oid,
    offset: &Datum,
    offset_type: Oid,
    minus: bool,
    env: &Env<'_>,
) -> SqlResult<Datum> {
    if let (Some(a), Some(b)) = (key.as_i64(), offset.as_i64()) {
        // Beyond the type every key is within the frame.
        return Ok(Datum::Int8(if minus {
            a.saturating_sub(b)
        } else {
            a.saturating_add(b)
        }));
    }
    let name = if minus { "-" } else { "+" };
    let operator = pg_builtins::operator_exact(name, key_type, offset_type).ok_or_else(|| {
        SqlError::unsupported(format!(
            "RANGE with an offset of type {} for a column of type {}",
            pg_types::format_type(offset_type, -1),
            pg_types::format_type(key_type, -1)
        ))
    })?;
    let (function, _) = crate::builtins::scalar(operator.func)?;
    let args = [key.clone(), offset.clone()];
    let value = function(
        &args,
        &Call {
            ctx: env.session,
            args: &[key_type, offset_type],
            ret: operator.ret,
            spread: false,
        },
    )?;
    // date + interval is a timestamp, which does not compare with dates.
    match (&value, key) {
        (Datum::Timestamp(micros), Datum::Date(_)) => {
            Ok(Datum::Date(micros.div_euclid(86_400_000_000) as i32))
        }
        _ => Ok(value),
    }
}
