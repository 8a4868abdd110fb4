//! What an operator is. The rows are in `crate::operators`.

use pg_types::Oid;

/// A built-in operator: a row of `pg_operator`.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// `pg_operator.oid`.
    pub oid: Oid,
    /// Its symbol.
    pub name: &'static str,
    /// Left argument type; 0 for a prefix operator.
    pub left: Oid,
    /// Right argument type.
    pub right: Oid,
    /// Result type.
    pub ret: Oid,
    /// The function behind it (`oprcode`); its arguments are `left` (if any) and `right`.
    pub func: Oid,
    /// Commutator, 0 for none: `a op b` is `b commutator a`.
    pub commutator: Oid,
    /// Negator, 0 for none.
    pub negator: Oid,
}
