//! Running a coercion on a value.

use crate::cast::{CastContext, CastMethod, find_cast};
use crate::context::{Call, CatalogQuery, EvalContext};
use crate::resolve::Coercion;
use crate::table::function_by_oid;
use alloc::string::String;
use alloc::sync::Arc;
use pg_types::oid::{self, Oid};
use pg_types::typeinfo::{element_of, is_reg};
use pg_types::{ArrayValue, Datum, SqlError, SqlResult, SqlState, coerce_typmod, type_name};

/// Brings a value from one type to another by a settled coercion. NULL stays NULL.
pub fn apply(
    coercion: Coercion,
    value: Datum,
    from: Oid,
    to: Oid,
    ctx: &dyn EvalContext,
) -> SqlResult<Datum> {
    if value.is_null() {
        return Ok(value);
    }
    match coercion {
        Coercion::None | Coercion::Relabel => Ok(value),
        Coercion::Literal => match &value {
            Datum::Text(s) => input_value(to, -1, s.as_str(), ctx),
            _ => Ok(value),
        },
        Coercion::Function(func) => {
            let types = [from];
            let call = Call::new(ctx, &types, to);
            call_by_oid(func, &[value], &call)
        }
        Coercion::InOut => via_text(value, from, to, -1, ctx),
        Coercion::Elements => cast_elements(&value, to, ctx),
    }
}

/// Calls a scalar function by id, minding strictness.
pub fn call_by_oid(func: Oid, args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let function = function_by_oid(func).ok_or_else(|| {
        SqlError::internal(alloc::format!("cache lookup failed for function {func}"))
    })?;
    if function.strict && args.iter().any(Datum::is_null) {
        return Ok(Datum::Null);
    }
    match function.scalar() {
        Some(body) => body(args, call),
        None => Err(SqlError::internal(alloc::format!(
            "function {} is not scalar",
            function.name
        ))),
    }
}

/// A cast through the text form of both types, then the typmod.
pub fn via_text(
    value: Datum,
    from: Oid,
    to: Oid,
    typmod: i32,
    ctx: &dyn EvalContext,
) -> SqlResult<Datum> {
    match output_text(&value, from, ctx)? {
        Some(text) => input_value(to, typmod, &text, ctx),
        None => Ok(Datum::Null),
    }
}

/// The text form of a value, with names for object id aliases. None for NULL.
pub fn output_text(
    value: &Datum,
    type_oid: Oid,
    ctx: &dyn EvalContext,
) -> SqlResult<Option<String>> {
    if let (Datum::Oid(object), true) = (value, is_reg(type_oid))
        && *object != oid::INVALID
    {
        let answer = match type_oid {
            oid::REGTYPE => crate::system::format_type_name(*object, None, ctx)?,
            _ => ctx.catalog(CatalogQuery::NameOfReg(type_oid, *object))?,
        };
        if let Datum::Text(name) = answer
            && name != "???"
        {
            return Ok(Some(name.as_str().into()));
        }
    }
    Ok(pg_types::to_text(value, type_oid, ctx.format()))
}

/// Reads a value from text, with names for object id aliases.
pub fn input_value(
    type_oid: Oid,
    typmod: i32,
    text: &str,
    ctx: &dyn EvalContext,
) -> SqlResult<Datum> {
    if is_reg(type_oid) && text != "-" && !text.bytes().all(|b| b.is_ascii_digit()) {
        return reg_input(type_oid, text, ctx);
    }
    pg_types::input(type_oid, typmod, text, ctx.format())
}

fn reg_input(type_oid: Oid, text: &str, ctx: &dyn EvalContext) -> SqlResult<Datum> {
    let found = match type_oid {
        oid::REGTYPE => crate::system::type_from_name(text, ctx)?,
        _ => ctx.catalog(CatalogQuery::RegFromName(type_oid, text))?,
    };
    if !found.is_null() {
        return Ok(found);
    }
    let (code, message) = match type_oid {
        oid::REGCLASS => (
            SqlState::UNDEFINED_TABLE,
            alloc::format!("relation \"{text}\" does not exist"),
        ),
        oid::REGTYPE => (
            SqlState::UNDEFINED_OBJECT,
            alloc::format!("type \"{text}\" does not exist"),
        ),
        oid::REGPROC | oid::REGPROCEDURE => (
            SqlState::UNDEFINED_FUNCTION,
            alloc::format!("function \"{text}\" does not exist"),
        ),
        oid::REGNAMESPACE => (
            SqlState::UNDEFINED_SCHEMA,
            alloc::format!("schema \"{text}\" does not exist"),
        ),
        oid::REGROLE => (
            SqlState::UNDEFINED_OBJECT,
            alloc::format!("role \"{text}\" does not exist"),
        ),
        _ => (
            SqlState::UNDEFINED_OBJECT,
            alloc::format!("{} \"{text}\" does not exist", type_name(type_oid)),
        ),
    };
    Err(SqlError::new(code, message))
}

/// Casts an array element by element to the array type `to`.
pub fn cast_elements(value: &Datum, to: Oid, ctx: &dyn EvalContext) -> SqlResult<Datum> {
    let (Datum::Array(array), Some(target)) = (value, element_of(to)) else {
        return Err(SqlError::internal(
            "element-wise cast of something that is no array",
        ));
    };
    let method = find_cast(array.elem, target, CastContext::Explicit).ok_or_else(|| {
        SqlError::new(
            SqlState::CANNOT_COERCE,
            alloc::format!(
                "cannot cast type {} to {}",
                type_name(array.elem),
                type_name(target)
            ),
        )
    })?;
    let one = match method {
        CastMethod::Relabel => Coercion::Relabel,
        CastMethod::Function(f) => Coercion::Function(f),
        CastMethod::InOut => Coercion::InOut,
        CastMethod::Elements => Coercion::Elements,
    };
    let items = array
        .items
        .iter()
        .map(|item| apply(one, item.clone(), array.elem, target, ctx))
        .collect::<SqlResult<_>>()?;
    Ok(Datum::Array(Arc::new(ArrayValue {
        elem: target,
        dims: array.dims.clone(),
        items,
    })))
}

/// Applies a type modifier; the same as [`pg_types::coerce_typmod`], here for the planner's convenience.
pub fn apply_typmod(value: Datum, type_oid: Oid, typmod: i32, explicit: bool) -> SqlResult<Datum> {
    coerce_typmod(value, type_oid, typmod, explicit)
}
