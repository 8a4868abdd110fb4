//! The rows of `pg_operator`.

mod compare;
mod dates;
mod numbers;
mod others;

use crate::operator::Operator;
use pg_types::Oid;

/// The parts that [`crate::table`] joins.
pub(crate) const TABLES: &[&[Operator]] =
    &[compare::TABLE, numbers::TABLE, dates::TABLE, others::TABLE];

#[allow(clippy::too_many_arguments)] // One row of a table, in its column order.
const fn op(
    oid: Oid,
    name: &'static str,
    left: Oid,
    right: Oid,
    ret: Oid,
    func: Oid,
    commutator: Oid,
    negator: Oid,
) -> Operator {
    Operator {
        oid,
        name,
        left,
        right,
        ret,
        func,
        commutator,
        negator,
    }
}
