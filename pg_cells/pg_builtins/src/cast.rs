//! What a cast is, and how one is found. The rows are in `crate::casts`.

use crate::casts::CASTS;
use pg_types::oid::{self, Oid};
use pg_types::typeinfo::{element_of, is_string, type_info};

/// Where a cast may happen by itself. Ordered: a context allows all casts at or below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CastContext {
    /// Anywhere.
    Implicit,
    /// When a value is stored into a column of the type.
    Assignment,
    /// Only by CAST or `::`.
    Explicit,
}

/// How a cast is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CastMethod {
    /// The datum stays as it is.
    Relabel,
    /// A function of one argument (others have defaults).
    Function(Oid),
    /// Through the text form.
    InOut,
    /// An array, element by element, by the cast between the element types.
    Elements,
}

/// A row of `pg_cast`.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// `pg_cast.oid`.
    pub oid: Oid,
    /// Source type.
    pub from: Oid,
    /// Target type.
    pub to: Oid,
    /// Where it applies by itself.
    pub context: CastContext,
    /// How it is done.
    pub method: CastMethod,
}

/// All built-in casts.
pub fn casts() -> &'static [Cast] {
    CASTS
}

/// How to get from one type to another in a context; none when that is not allowed.
///
/// Covers `pg_cast`, arrays by their elements, and the I/O conversions: to text types in
/// assignments, from them explicitly. Unknown literals and NULLs are the caller's.
pub fn find_cast(from: Oid, to: Oid, context: CastContext) -> Option<CastMethod> {
    if from == to {
        return Some(CastMethod::Relabel);
    }
    if let Some(cast) = CASTS.iter().find(|c| c.from == from && c.to == to) {
        return (cast.context <= context).then_some(cast.method);
    }
    // A vector is an array whose subscripts start at 0.
    let vector = |t: Oid| matches!(t, oid::INT2VECTOR | oid::OIDVECTOR);
    if let (Some(f), Some(t)) = (element_of(from), element_of(to))
        && !vector(from)
        && !vector(to)
    {
        return match find_cast(f, t, context)? {
            CastMethod::Relabel => Some(CastMethod::Relabel),
            _ => Some(CastMethod::Elements),
        };
    }
    if vector(from) && context == CastContext::Explicit && element_of(from) == element_of(to) {
        return Some(CastMethod::Relabel);
    }
    match to {
        oid::RECORD if is_composite(from) => return Some(CastMethod::Relabel),
        oid::ANY => return Some(CastMethod::Relabel),
        _ => {}
    }
    // Any type goes to text by its output function in assignments, from text explicitly.
    let text_like = |t: Oid| type_info(t).is_some_and(|i| i.category == b'S') && is_string(t);
    if context >= CastContext::Assignment && text_like(to) {
        return Some(CastMethod::InOut);
    }
    if context >= CastContext::Explicit && text_like(from) {
        return Some(CastMethod::InOut);
    }
    None
}

fn is_composite(t: Oid) -> bool {
    // Row types of user tables have ids of users; enums do too, but never meet a record.
    t >= oid::FIRST_NORMAL
}
