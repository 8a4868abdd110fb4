//! Evaluation of the forms that are not plain calls: CASE, COALESCE, arrays,
//! rows, casts, values of the session.

use super::{CallCode, Code, eval_all};
use crate::builtins::{EvalContext, SequenceCall};
use crate::env::Env;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_plan::Quantifier;
use pg_types::{ArrayValue, Datum, Dim, Oid, SqlError, SqlResult, SqlState, oid};

/// CASE.
pub struct Case {
    /// The operand of a simple CASE.
    pub operand: Option<Code>,
    /// WHEN and THEN.
    pub arms: Box<[(Code, Code)]>,
    /// ELSE.
    pub otherwise: Option<Code>,
}

/// `left op ANY|ALL (array)`; the call's buffer holds the two sides.
pub struct Quantified {
    /// The left side.
    pub left: Code,
    /// The array.
    pub array: Code,
    /// The comparison; its `args` are empty.
    pub call: CallCode,
    /// ANY or ALL.
    pub quantifier: Quantifier,
    /// The comparison is an equality that `pg_types::equal` decides.
    pub plain_equal: bool,
}

impl Code {
    /// The value of everything that [`Code::eval`] does not handle itself.
    pub(super) fn eval_form(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Datum> {
        match self {
            Code::Operand => Ok(env.operand.clone()),
            Code::IsNull(input, negated) => {
                let value = input.eval(row, env)?;
                Ok(Datum::Bool(is_null(&value, *negated)))
            }
            Code::IsBool(input, value, negated) => {
                let same = input.eval_bool(row, env)? == *value;
                Ok(Datum::Bool(same != *negated))
            }
            Code::IsDistinct(call, negated) => {
                let distinct = is_distinct(call, row, env)?;
                Ok(Datum::Bool(distinct != *negated))
            }
            Code::Case(case) => case.eval(row, env),
            Code::Coalesce(args) => {
                for arg in args {
                    let value = arg.eval(row, env)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Datum::Null)
            }
            Code::NullIf(call) => {
                let both = call.arguments(row, env)?;
                if both && call.call(env)?.is_true() {
                    return Ok(Datum::Null);
                }
                // A strict equality stops at the first NULL: the left value is
                // there unless it was that NULL.
                Ok(call.buffer.first().cloned().unwrap_or_default())
            }
            Code::MinMax(args, greatest, type_oid) => min_max(args, *greatest, *type_oid, row, env),
            Code::Quantified(quantified) => quantified.eval(row, env),
            Code::Array(elements, element, nested) => array(elements, *element, *nested, row, env),
            Code::Subscript(input, subscripts) => subscript(input, subscripts, row, env),
            Code::Row(fields, types) => {
                let mut values = Vec::new();
                eval_all(fields, row, env, &mut values)?;
                Ok(Datum::record(types.clone(), values))
            }
            Code::Field(input, index) => match input.eval(row, env)? {
                Datum::Record(record) => Ok(record.fields.get(*index).cloned().unwrap_or_default()),
                _ => Ok(Datum::Null),
            },
            Code::SubPlan(plan) => plan.eval(row, env),
            Code::NextValue(sequence, type_oid) => {
                let value = env.session.sequence(SequenceCall::Next(*sequence))?;
                int_of_type(value, *type_oid)
            }
            Code::Session(name, type_oid) => session_value(name, *type_oid, env.session),
            Code::ViaText(input, from, to, typmod) => {
                let value = input.eval(row, env)?;
                pg_builtins::via_text(value, *from, *to, *typmod, env.session)
            }
            Code::Typmod(input, type_oid, typmod, explicit) => {
                let value = input.eval(row, env)?;
                if value.is_null() {
                    return Ok(value);
                }
                pg_types::coerce_typmod(value, *type_oid, *typmod, *explicit)
            }
            // The rest is handled by `eval`.
            _ => Ok(Datum::Null),
        }
    }
}

/// IS NULL and IS NOT NULL; a row value is either when all its fields are.
fn is_null(value: &Datum, negated: bool) -> bool {
    match value {
        Datum::Record(record) => record.fields.iter().all(|f| f.is_null() != negated),
        _ => value.is_null() != negated,
    }
}

/// IS DISTINCT FROM, by the equality of `call`.
fn is_distinct(call: &mut CallCode, row: &[Datum], env: &mut Env<'_>) -> SqlResult<bool> {
    let CallCode { args, buffer, .. } = call;
    eval_all(args, row, env, buffer)?;
    Ok(match (buffer[0].is_null(), buffer[1].is_null()) {
        (true, true) => false,
        (false, false) => !call.call(env)?.is_true(),
        _ => true,
    })
}

impl Case {
    fn eval(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Datum> {
        let Some(operand) = &mut self.operand else {
            return self.arms(row, env);
        };
        let value = operand.eval(row, env)?;
        let enclosing = core::mem::replace(&mut env.operand, value);
        let result = self.arms(row, env);
        env.operand = enclosing;
        result
    }

    fn arms(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Datum> {
        for (when, then) in &mut self.arms {
            if when.is_true(row, env)? {
                return then.eval(row, env);
            }
        }
        match &mut self.otherwise {
            Some(code) => code.eval(row, env),
            None => Ok(Datum::Null),
        }
    }
}

fn min_max(
    args: &mut [Code],
    greatest: bool,
    type_oid: Oid,
    row: &[Datum],
    env: &mut Env<'_>,
) -> SqlResult<Datum> {
    let wanted = if greatest {
        Ordering::Greater
    } else {
        Ordering::Less
    };
    let mut best = Datum::Null;
    for arg in args {
        let value = arg.eval(row, env)?;
        if value.is_null() {
            continue;
        }
        if best.is_null() || crate::sort_key::compare_typed(&value, &best, type_oid) == wanted {
            best = value;
        }
    }
    Ok(best)
}

impl Quantified {
    fn eval(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Datum> {
        let array = self.array.eval(row, env)?;
        let Datum::Array(array) = array else {
            return Ok(Datum::Null);
        };
        let left = self.left.eval(row, env)?;
        let any = self.quantifier == Quantifier::Any;
        if array.items.is_empty() {
            return Ok(Datum::Bool(!any));
        }
        if left.is_null() && self.call.strict {
            return Ok(Datum::Null);
        }
        let mut unknown = false;
        self.call.buffer.clear();
        self.call.buffer.extend([left, Datum::Null]);
        for item in &array.items {
            if item.is_null() && self.call.strict {
                unknown = true;
                continue;
            }
            let holds = if self.plain_equal {
                Some(pg_types::equal(&self.call.buffer[0], item))
            } else {
                self.call.buffer[1] = item.clone();
                self.call.call(env)?.as_bool()
            };
            match holds {
                Some(value) if value == any => return Ok(Datum::Bool(any)),
                Some(_) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown {
            Datum::Null
        } else {
            Datum::Bool(!any)
        })
    }
}

fn array(
    elements: &mut [Code],
    element: Oid,
    nested: bool,
    row: &[Datum],
    env: &mut Env<'_>,
) -> SqlResult<Datum> {
    let mut values = Vec::with_capacity(elements.len());
    eval_all(elements, row, env, &mut values)?;
    if nested {
        nest(element, &values)
    } else {
        Ok(Datum::array(element, values))
    }
}

/// One array of more dimensions from arrays of equal shape.
fn nest(element: Oid, parts: &[Datum]) -> SqlResult<Datum> {
    let mut dims: Option<Vec<Dim>> = None;
    let mut items = Vec::new();
    let mut count = 0;
    for part in parts {
        let (shape, members) = match part {
            Datum::Array(a) => (a.dims.as_slice(), a.items.as_slice()),
            _ => (&[][..], &[][..]),
        };
        if dims.as_deref().is_some_and(|known| known != shape) {
            return Err(SqlError::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "multidimensional arrays must have array expressions with matching dimensions",
            ));
        }
        dims = Some(shape.to_vec());
        items.extend_from_slice(members);
        count += 1;
    }
    let mut shape = Vec::new();
    if !items.is_empty() {
        shape.push(Dim {
            len: count,
            lower: 1,
        });
        shape.extend(dims.unwrap_or_default());
    }
    Ok(Datum::Array(Arc::new(ArrayValue {
        elem: element,
        dims: shape,
        items,
    })))
}

fn subscript(
    input: &mut Code,
    subscripts: &mut [Code],
    row: &[Datum],
    env: &mut Env<'_>,
) -> SqlResult<Datum> {
    let array = input.eval(row, env)?;
    let Datum::Array(array) = array else {
        return Ok(Datum::Null);
    };
    if subscripts.len() != array.dims.len() {
        return Ok(Datum::Null);
    }
    let mut at: usize = 0;
    for (code, dim) in subscripts.iter_mut().zip(&array.dims) {
        let Some(value) = code.eval_int(row, env)? else {
            return Ok(Datum::Null);
        };
        let offset = value - i64::from(dim.lower);
        if offset < 0 || offset >= i64::from(dim.len) {
            return Ok(Datum::Null);
        }
        at = at * dim.len as usize + offset as usize;
    }
    Ok(array.items.get(at).cloned().unwrap_or_default())
}

/// An integer of a type.
fn int_of_type(value: i64, type_oid: Oid) -> SqlResult<Datum> {
    match type_oid {
        oid::INT2 => i16::try_from(value)
            .map(Datum::Int2)
            .map_err(|_| SqlError::out_of_range("smallint")),
        oid::INT4 => i32::try_from(value)
            .map(Datum::Int4)
            .map_err(|_| SqlError::out_of_range("integer")),
        _ => Ok(Datum::Int8(value)),
    }
}

/// `current_user`, `current_date` and their kin.
fn session_value(name: &str, type_oid: Oid, session: &dyn EvalContext) -> SqlResult<Datum> {
    let now = session.transaction_timestamp();
    let local = || session.format().time_zone.to_local(now);
    const DAY: i64 = 86_400_000_000;
    Ok(match name {
        "current_user" | "user" | "current_role" => Datum::Text(session.current_user()),
        "session_user" => Datum::Text(session.session_user()),
        "current_catalog" | "current_database" => Datum::Text(session.current_database()),
        "current_schema" => session
            .search_path(false)
            .into_iter()
            .next()
            .map_or(Datum::Null, Datum::Text),
        "current_timestamp" | "now" => Datum::TimestampTz(now),
        "localtimestamp" => Datum::Timestamp(local()),
        "current_date" => Datum::Date(local().div_euclid(DAY) as i32),
        "localtime" => Datum::Time(local().rem_euclid(DAY)),
        "current_time" if type_oid == oid::TIME => Datum::Time(local().rem_euclid(DAY)),
        _ => return Err(SqlError::unsupported(format!("the session value {name}"))),
    })
}
