//! Order and equality of rows by keys: what sorts, groups, joins and windows
//! share.

use crate::env::Env;
use crate::expr::{Code, compile, type_of};
use crate::op::Builder;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::hash::{BuildHasher, Hasher};
use pg_plan::SortKey;
use pg_types::compare::{compare_bpchar, trim_blanks};
use pg_types::{Datum, Oid, SqlResult, oid};

/// One column of a sort order.
#[derive(Clone, Copy, Debug)]
pub struct KeyOrder {
    /// The values' type.
    pub type_oid: Oid,
    /// Descending.
    pub descending: bool,
    /// NULLs first.
    pub nulls_first: bool,
}

impl KeyOrder {
    /// Orders two values.
    #[inline]
    pub fn compare(&self, a: &Datum, b: &Datum) -> Ordering {
        match (a.is_null(), b.is_null()) {
            (false, false) => {
                let order = compare_typed(a, b, self.type_oid);
                if self.descending {
                    order.reverse()
                } else {
                    order
                }
            }
            (true, true) => Ordering::Equal,
            (true, false) if self.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if self.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
        }
    }
}

/// Compiled sort keys: the expressions and their orders.
pub struct Keys {
    /// The expressions.
    pub codes: Vec<Code>,
    /// Their orders.
    pub orders: Vec<KeyOrder>,
}

impl Keys {
    /// Compiles sort keys.
    ///
    /// # Errors
    /// When an expression cannot be compiled.
    pub fn compile(keys: &[SortKey], builder: &mut Builder) -> SqlResult<Self> {
        let mut codes = Vec::with_capacity(keys.len());
        let mut orders = Vec::with_capacity(keys.len());
        for key in keys {
            orders.push(KeyOrder {
                type_oid: type_of(&key.expr),
                descending: key.descending,
                nulls_first: key.nulls_first,
            });
            codes.push(compile(&key.expr, builder)?);
        }
        Ok(Keys { codes, orders })
    }

    /// The keys' values over `row`.
    ///
    /// # Errors
    /// As evaluation.
    pub fn eval(
        &mut self,
        row: &[Datum],
        env: &mut Env<'_>,
        out: &mut Vec<Datum>,
    ) -> SqlResult<()> {
        crate::expr::eval_all(&mut self.codes, row, env, out)
    }
}

/// Orders two rows of key values.
#[inline]
pub fn compare_keys(orders: &[KeyOrder], a: &[Datum], b: &[Datum]) -> Ordering {
    for ((order, a), b) in orders.iter().zip(a).zip(b) {
        let result = order.compare(a, b);
        if result != Ordering::Equal {
            return result;
        }
    }
    Ordering::Equal
}

/// Orders two values of a type, NULL last.
#[inline]
pub fn compare_typed(a: &Datum, b: &Datum, type_oid: Oid) -> Ordering {
    if type_oid == oid::BPCHAR
        && let (Datum::Text(a), Datum::Text(b)) = (a, b)
    {
        return compare_bpchar(a, b);
    }
    pg_types::compare(a, b)
}

/// Whether two rows are the same group: NULL equals NULL.
#[inline]
pub fn same_group(types: &[Oid], a: &[Datum], b: &[Datum]) -> bool {
    types
        .iter()
        .zip(a)
        .zip(b)
        .all(|((ty, a), b)| compare_typed(a, b, *ty) == Ordering::Equal)
}

/// A hash of a row that agrees with [`same_group`].
#[inline]
pub fn hash_row(state: &hashbrown::DefaultHashBuilder, types: &[Oid], row: &[Datum]) -> u64 {
    let mut hasher = state.build_hasher();
    for (ty, value) in types.iter().zip(row) {
        match value {
            Datum::Text(s) if *ty == oid::BPCHAR => hasher.write(trim_blanks(s.as_bytes())),
            _ => pg_types::hash(value, &mut hasher),
        }
    }
    hasher.finish()
}
