//! Aggregates: which there are, and their running state.
//!
//! The executor makes an [`AggState`] for each group, feeds it rows that pass
//! FILTER (and are new, under DISTINCT), in the order of ORDER BY, and asks for
//! the result; as a window function it may ask after every row.

use crate::context::Call;
use pg_types::{Datum, Oid, SqlError, SqlResult};

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
    count: i64,
}

impl AggState {
    /// An empty state. `func` is the aggregate's function id, `args` the actual argument types.
    pub fn new(func: Oid, args: &[Oid]) -> SqlResult<AggState> {
        let _ = args;
        match crate::function_by_oid(func).map(|f| f.body) {
            Some(crate::Body::Aggregate(kind)) => Ok(AggState { kind, count: 0 }),
            _ => Err(SqlError::internal(alloc::format!(
                "function {func} is not an aggregate"
            ))),
        }
    }

    /// Takes one row's arguments, NULLs included (each aggregate knows what to skip).
    pub fn step(&mut self, args: &[Datum], call: &Call<'_>) -> SqlResult<()> {
        let _ = call;
        match self.kind {
            AggregateKind::CountStar => self.count += 1,
            AggregateKind::Count => {
                self.count += i64::from(args.first().is_some_and(|d| !d.is_null()))
            }
            kind => return Err(SqlError::unsupported(alloc::format!("aggregate {kind:?}"))),
        }
        Ok(())
    }

    /// The result so far; the state stays usable.
    pub fn finish(&self, call: &Call<'_>) -> SqlResult<Datum> {
        let _ = call;
        Ok(Datum::Int8(self.count))
    }
}
