//! The window functions: those that look at the partition alone, those that
//! look into the frame, and aggregates over it.

use super::Partition;
use super::frame::Frame;
use crate::builtins::{self, Body, WindowKind};
use crate::env::Env;
use crate::expr::{Code, compile_all};
use crate::op::Builder;
use crate::op::aggregate::call::AggCode;
use alloc::format;
use alloc::vec::Vec;
use pg_plan::WindowCall;
use pg_types::{Datum, SqlError, SqlResult, SqlState};

/// Takes a row's number and the call's value there.
type Put<'p> = &'p mut dyn FnMut(usize, Datum);

/// A compiled call.
pub struct WindowCode {
    what: What,
    frame: Frame,
}

enum What {
    Function(WindowKind, Vec<Code>),
    Aggregate(AggCode),
}

impl WindowCode {
    /// Compiles a call.
    ///
    /// # Errors
    /// When the function is neither a window function nor an aggregate.
    pub fn compile(call: &WindowCall, builder: &mut Builder) -> SqlResult<Self> {
        let function = builtins::function(call.function)?;
        let what = match function.body {
            Body::Window(kind) => What::Function(kind, compile_all(&call.args, builder)?),
            Body::Aggregate(_) => What::Aggregate(AggCode::plain(
                call.function,
                &call.args,
                call.filter.as_ref(),
                call.type_oid,
                builder,
            )?),
            _ => {
                return Err(SqlError::internal(format!(
                    "{} is not a window function",
                    function.name
                )));
            }
        };
        Ok(WindowCode {
            what,
            frame: Frame::compile(&call.frame, builder)?,
        })
    }

    /// Computes the call for all rows of a partition.
    ///
    /// # Errors
    /// As the function and the frame.
    pub fn compute(&mut self, part: &Partition, env: &mut Env<'_>, put: Put<'_>) -> SqlResult<()> {
        self.frame.begin(env)?;
        match &mut self.what {
            What::Aggregate(code) => aggregate(code, &self.frame, part, env, put),
            What::Function(kind, args) => function(*kind, args, &self.frame, part, env, put),
        }
    }
}

/// An aggregate over the frames. Frames that start with the partition only
/// grow, so one state serves them all; others are computed anew.
fn aggregate(
    code: &mut AggCode,
    frame: &Frame,
    part: &Partition,
    env: &mut Env<'_>,
    put: Put<'_>,
) -> SqlResult<()> {
    let grows = frame.starts_first();
    let mut cell = code.cell()?;
    let mut fed = 0;
    let mut last: Option<(core::ops::Range<usize>, Datum)> = None;
    for at in 0..part.len() {
        env.tick()?;
        let rows = frame.rows(part, at, env)?;
        if let Some((known, value)) = &last
            && *known == rows
        {
            put(at, value.clone());
            continue;
        }
        if !grows || rows.end < fed {
            cell = code.cell()?;
            fed = rows.start;
        }
        for i in fed..rows.end {
            env.tick()?;
            code.step(&mut cell, part.rows.row(i), env)?;
        }
        fed = rows.end.max(fed);
        let value = code.finish(&mut cell, env)?;
        put(at, value.clone());
        last = Some((rows, value));
    }
    Ok(())
}

fn function(
    kind: WindowKind,
    args: &mut [Code],
    frame: &Frame,
    part: &Partition,
    env: &mut Env<'_>,
    put: Put<'_>,
) -> SqlResult<()> {
    match kind {
        WindowKind::RowNumber => (0..part.len()).for_each(|at| put(at, Datum::Int8(at as i64 + 1))),
        WindowKind::Rank => {
            (0..part.len()).for_each(|at| put(at, Datum::Int8(part.peers(at).start as i64 + 1)));
        }
        WindowKind::DenseRank => {
            (0..part.len()).for_each(|at| put(at, Datum::Int8(i64::from(part.group_of[at]) + 1)));
        }
        WindowKind::PercentRank => {
            let others = part.len().saturating_sub(1).max(1) as f64;
            (0..part.len())
                .for_each(|at| put(at, Datum::Float8(part.peers(at).start as f64 / others)));
        }
        WindowKind::CumeDist => {
            let all = part.len() as f64;
            (0..part.len()).for_each(|at| put(at, Datum::Float8(part.peers(at).end as f64 / all)));
        }
        WindowKind::Ntile => return ntile(args, part, env, put),
        WindowKind::Lag => return shift(args, part, env, put, -1),
        WindowKind::Lead => return shift(args, part, env, put, 1),
        WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue => {
            return of_frame(kind, args, frame, part, env, put);
        }
    }
    Ok(())
}

/// Buckets of equal size; the first ones take the rows left over.
fn ntile(args: &mut [Code], part: &Partition, env: &mut Env<'_>, put: Put<'_>) -> SqlResult<()> {
    let Some(code) = args.first_mut() else {
        return Ok(());
    };
    let Some(buckets) = code.eval_int(part.rows.row(0), env)? else {
        return Ok(());
    };
    if buckets <= 0 {
        return Err(SqlError::new(
            SqlState::INVALID_ARGUMENT_FOR_NTILE,
            "argument of ntile must be greater than zero",
        ));
    }
    let rows = part.len() as i64;
    let (size, larger) = (rows / buckets, rows % buckets);
    for at in 0..rows {
        let in_larger = larger * (size + 1);
        let bucket = if at < in_larger {
            at / (size + 1)
        } else {
            larger + (at - in_larger) / size.max(1)
        };
        put(at as usize, Datum::Int8(bucket + 1));
    }
    Ok(())
}

/// lag and lead: value, offset (1), default (NULL).
fn shift(
    args: &mut [Code],
    part: &Partition,
    env: &mut Env<'_>,
    put: Put<'_>,
    sign: i64,
) -> SqlResult<()> {
    let Some((value, rest)) = args.split_first_mut() else {
        return Ok(());
    };
    for at in 0..part.len() {
        env.tick()?;
        let row = part.rows.row(at);
        let offset = match rest.first_mut() {
            Some(code) => code.eval_int(row, env)?,
            None => Some(1),
        };
        let Some(offset) = offset else { continue };
        let other = (at as i64)
            .checked_add(offset.saturating_mul(sign))
            .and_then(|i| usize::try_from(i).ok());
        let result = match other.filter(|i| *i < part.len()) {
            Some(i) => value.eval(part.rows.row(i), env)?,
            None => match rest.get_mut(1) {
                Some(default) => default.eval(row, env)?,
                None => Datum::Null,
            },
        };
        put(at, result);
    }
    Ok(())
}

/// first_value, last_value and nth_value.
fn of_frame(
    kind: WindowKind,
    args: &mut [Code],
    frame: &Frame,
    part: &Partition,
    env: &mut Env<'_>,
    put: Put<'_>,
) -> SqlResult<()> {
    let Some((value, rest)) = args.split_first_mut() else {
        return Ok(());
    };
    for at in 0..part.len() {
        env.tick()?;
        let rows = frame.rows(part, at, env)?;
        let wanted = match kind {
            WindowKind::FirstValue => Some(rows.start),
            WindowKind::LastValue => rows.end.checked_sub(1),
            _ => {
                let Some(n) = rest.first_mut() else {
                    return Ok(());
                };
                match n.eval_int(part.rows.row(at), env)? {
                    Some(n) if n <= 0 => {
                        return Err(SqlError::new(
                            SqlState::INVALID_ARGUMENT_FOR_NTH_VALUE,
                            "argument of nth_value must be greater than zero",
                        ));
                    }
                    Some(n) => Some(rows.start.saturating_add(n as usize - 1)),
                    None => None,
                }
            }
        };
        if let Some(i) = wanted.filter(|i| rows.contains(i)) {
            let result = value.eval(part.rows.row(i), env)?;
            put(at, result);
        }
    }
    Ok(())
}
