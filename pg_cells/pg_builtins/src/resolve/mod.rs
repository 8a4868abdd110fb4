//! Type resolution: which function, operator or common type an expression means.
//!
//! The rules are those of the manual's chapter "Type Conversion": exact match
//! first, then implicit casts with a preference for preferred types, unknown
//! literals last. Type ids of user types pass through; domains must already be
//! their base types.

mod candidates;
mod common;
mod describe;
mod function;
mod operator;
mod polymorphic;

pub use candidates::{Candidate, Choice, choose};
pub use common::{common_type, common_type_name_of_context};
pub use describe::{describe_args, describe_type};
pub use function::{ResolvedFunction, resolve_function, resolve_function_with};
pub use operator::{ResolvedOperator, resolve_operator, resolve_prefix_operator};
pub use polymorphic::{Polymorphic, is_polymorphic, solve};

use crate::cast::{CastContext, CastMethod, find_cast};
use pg_types::oid::{self, Oid};

/// How one value is brought to another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coercion {
    /// Nothing to do.
    None,
    /// An unknown literal: read its text with the target's input function. A NULL stays NULL.
    Literal,
    /// The same datum under another type.
    Relabel,
    /// A cast function.
    Function(Oid),
    /// Through the text form.
    InOut,
    /// An array, element by element; see [`crate::cast_elements`].
    Elements,
}

/// How to bring `from` to `to` in a context; none when the rules forbid it.
/// Pseudo-types as targets accept what they stand for.
pub fn coerce(from: Oid, to: Oid, context: CastContext) -> Option<Coercion> {
    if from == to || to == oid::ANY {
        return Some(Coercion::None);
    }
    if is_polymorphic(to) {
        return polymorphic::accepts(to, from).then_some(Coercion::None);
    }
    if from == oid::UNKNOWN {
        return Some(Coercion::Literal);
    }
    Some(match find_cast(from, to, context)? {
        CastMethod::Relabel => Coercion::Relabel,
        CastMethod::Function(f) => Coercion::Function(f),
        CastMethod::InOut => Coercion::InOut,
        CastMethod::Elements => Coercion::Elements,
    })
}
