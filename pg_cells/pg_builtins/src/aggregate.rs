//! Aggregates: which there are, and their running state.
//!
//! The executor makes an [`AggState`] for each group, feeds it rows that pass
//! FILTER (and are new, under DISTINCT), in the order of ORDER BY, and asks for
//! the result; as a window function it may ask after every row.
//!
//! `sums` has sum and avg, `moments` the statistics, `collect` those that keep
//! their inputs.

mod collect;
mod moments;
mod sums;

use crate::context::Call;
use collect::Collected;
use moments::{Moments, Pairs};
use pg_types::oid;
use pg_types::{Datum, Oid, SqlError, SqlResult, compare};
use sums::Sum;

/// Which aggregate. Several functions of one name share a kind; their argument types differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Named as in SQL.
pub enum AggregateKind {
    CountStar,
    Count,
    Sum,
    Avg,
    Min,
    Max,
    BoolAnd,
    BoolOr,
    BitAnd,
    BitOr,
    BitXor,
    StringAgg,
    ArrayAgg,
    StddevPop,
    StddevSamp,
    VarPop,
    VarSamp,
    Corr,
    CovarPop,
    CovarSamp,
    RegrCount,
    RegrAvgx,
    RegrAvgy,
    RegrSxx,
    RegrSyy,
    RegrSxy,
    RegrSlope,
    RegrIntercept,
    RegrR2,
    JsonAgg,
    JsonObjectAgg,
}

/// The running state of one aggregate over one group.
#[derive(Clone, Debug)]
pub struct AggState {
    kind: AggregateKind,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Count(i64),
    Sum(Sum),
    /// The least or greatest so far, the conjunction, the bits: NULL before the first.
    One(Datum),
    Moments(Moments),
    Pairs(Pairs),
    Collected(Collected),
}

impl AggState {
    /// An empty state. `func` is the aggregate's function id, `args` the actual argument types.
    pub fn new(func: Oid, args: &[Oid]) -> SqlResult<AggState> {
        use AggregateKind::*;
        let found = crate::function_by_oid(func);
        let (Some(function), Some(kind)) = (found, found.and_then(aggregate_kind)) else {
            return Err(SqlError::internal(alloc::format!(
                "function {func} is not an aggregate"
            )));
        };
        // Polymorphic aggregates go by the actual type, all others by the declared one.
        let declared = function.args.first().copied().unwrap_or(oid::ANY);
        let first = match declared {
            oid::ANYELEMENT | oid::ANYARRAY | oid::ANYNONARRAY | oid::ANYENUM | oid::ANY => {
                args.first().copied().unwrap_or(declared)
            }
            known => known,
        };
        let state = match kind {
            CountStar | Count | RegrCount => State::Count(0),
            Sum | Avg => State::Sum(sums::Sum::new(first)),
            Min | Max | BoolAnd | BoolOr | BitAnd | BitOr | BitXor => State::One(Datum::Null),
            StddevPop | StddevSamp | VarPop | VarSamp => State::Moments(Moments::new(first)),
            Corr | CovarPop | CovarSamp | RegrAvgx | RegrAvgy | RegrSxx | RegrSyy | RegrSxy
            | RegrSlope | RegrIntercept | RegrR2 => State::Pairs(Pairs::default()),
            StringAgg | ArrayAgg | JsonAgg | JsonObjectAgg => {
                State::Collected(Collected::new(kind, first))
            }
        };
        Ok(AggState { kind, state })
    }

    /// Takes one row's arguments, NULLs included (each aggregate knows what to skip).
    pub fn step(&mut self, args: &[Datum], call: &Call<'_>) -> SqlResult<()> {
        let first = args.first().unwrap_or(&Datum::Null);
        match &mut self.state {
            State::Count(n) => {
                let counted = match self.kind {
                    AggregateKind::CountStar => true,
                    AggregateKind::RegrCount => !args.iter().any(Datum::is_null),
                    _ => !first.is_null(),
                };
                *n += i64::from(counted);
                Ok(())
            }
            State::Collected(c) => c.step(args, call),
            State::Pairs(p) => p.step(args),
            _ if first.is_null() => Ok(()),
            State::Sum(s) => s.step(first),
            State::Moments(m) => m.step(first),
            State::One(best) => {
                take_one(self.kind, best, first);
                Ok(())
            }
        }
    }

    /// As [`AggState::step`] with one argument, for those that need neither more of the
    /// call nor a function; none for the others.
    #[inline]
    pub fn step_one(&mut self, value: &Datum) -> Option<SqlResult<()>> {
        match &mut self.state {
            State::Sum(_) if value.is_null() => Some(Ok(())),
            State::Sum(sum) => Some(sum.step(value)),
            State::Count(n) if self.kind == AggregateKind::Count => {
                *n += i64::from(!value.is_null());
                Some(Ok(()))
            }
            _ => None,
        }
    }

    /// The result so far; the state stays usable.
    pub fn finish(&self, call: &Call<'_>) -> SqlResult<Datum> {
        match &self.state {
            State::Count(n) => Ok(Datum::Int8(*n)),
            State::Sum(s) if self.kind == AggregateKind::Avg => s.average(),
            State::Sum(s) => s.total(),
            State::One(d) => Ok(d.clone()),
            State::Moments(m) => m.finish(self.kind),
            State::Pairs(p) => p.finish(self.kind),
            State::Collected(c) => c.finish(call),
        }
    }
}

fn aggregate_kind(f: &crate::Function) -> Option<AggregateKind> {
    match f.body {
        crate::Body::Aggregate(kind) => Some(kind),
        _ => None,
    }
}

fn take_one(kind: AggregateKind, best: &mut Datum, new: &Datum) {
    use AggregateKind::*;
    if best.is_null() {
        *best = new.clone();
        return;
    }
    let better = match kind {
        // Of equal values (1.5 and 1.50) the later one is kept.
        Min => compare(new, best).is_le(),
        Max => compare(new, best).is_ge(),
        BoolAnd => !new.is_true(),
        BoolOr => new.is_true(),
        _ => {
            *best = combine_bits(kind, best, new);
            return;
        }
    };
    if better {
        *best = new.clone();
    }
}

fn combine_bits(kind: AggregateKind, a: &Datum, b: &Datum) -> Datum {
    let op = |x: i64, y: i64| match kind {
        AggregateKind::BitAnd => x & y,
        AggregateKind::BitOr => x | y,
        _ => x ^ y,
    };
    match (a, b) {
        (Datum::Int2(x), Datum::Int2(y)) => Datum::Int2(op((*x).into(), (*y).into()) as i16),
        (Datum::Int4(x), Datum::Int4(y)) => Datum::Int4(op((*x).into(), (*y).into()) as i32),
        (Datum::Int8(x), Datum::Int8(y)) => Datum::Int8(op(*x, *y)),
        _ => a.clone(),
    }
}
