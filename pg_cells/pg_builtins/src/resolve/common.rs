//! The common type of CASE arms, UNION columns, VALUES, IN lists and ARRAY elements.

use super::coerce;
use super::describe::describe_type;
use crate::cast::CastContext;
use alloc::format;
use pg_types::oid::{self, Oid};
use pg_types::typeinfo::type_info;
use pg_types::{SqlError, SqlResult, SqlState};

/// The type that all inputs are brought to. `context` names the construct in the
/// error: `CASE`, `UNION`, `VALUES`, `IN`, `ARRAY`, `COALESCE`, `GREATEST`.
///
/// The order matters where types convert both ways (`text` and `varchar`): the first one
/// stays, and CASE asks with its ELSE in front. All-unknown inputs give `text`. Errors: 42804 when the categories differ,
/// 42846 when an input cannot be converted.
pub fn common_type(types: &[Oid], context: &str) -> SqlResult<Oid> {
    let mut known = types.iter().copied().filter(|t| *t != oid::UNKNOWN);
    let Some(mut best) = known.next() else {
        return Ok(oid::TEXT);
    };
    let category = |t: Oid| type_info(t).map_or(b'U', |i| i.category);
    let preferred = |t: Oid| type_info(t).is_some_and(|i| i.preferred);
    for t in known {
        if t == best {
            continue;
        }
        if category(t) != category(best) {
            return Err(SqlError::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "{} types {} and {} cannot be matched",
                    common_type_name_of_context(context),
                    describe_type(best),
                    describe_type(t)
                ),
            ));
        }
        let forth = coerce(best, t, CastContext::Implicit).is_some();
        let back = coerce(t, best, CastContext::Implicit).is_some();
        if !preferred(best) && forth && !back {
            best = t;
        }
    }
    for t in types {
        if *t != oid::UNKNOWN && coerce(*t, best, CastContext::Implicit).is_none() {
            return Err(SqlError::new(
                SqlState::CANNOT_COERCE,
                format!(
                    "{} could not convert type {} to {}",
                    common_type_name_of_context(context),
                    describe_type(*t),
                    describe_type(best)
                ),
            ));
        }
    }
    Ok(best)
}

/// How a construct is spelled in the messages above.
pub fn common_type_name_of_context(context: &str) -> &str {
    context
}
