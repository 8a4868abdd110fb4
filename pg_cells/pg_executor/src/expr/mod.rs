//! Expressions as they run: [`Code`], compiled from `pg_plan::Expr` with
//! functions resolved, and its evaluation over one row.
//!
//! A node owns what it needs from row to row (argument buffers, the memory of a
//! subquery), so evaluating takes `&mut` and allocates nothing for numbers,
//! dates and short texts. Comparisons and arithmetic of integers do not go
//! through the function table (`int`). Compiling is in `compile`, subqueries
//! are in `sublink`, the larger forms in `forms`.

mod compile;
mod forms;
mod int;
mod sublink;
mod types;

pub use compile::{compile, compile_all, compile_option};
pub use types::type_of;

use crate::builtins::{Call, ScalarFn};
use crate::env::Env;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use pg_types::{Datum, Oid, SqlError, SqlResult};

pub(crate) use forms::{Case, Quantified};
pub(crate) use int::{Arith, Compare};
pub(crate) use sublink::SubPlan;

/// An expression that can be evaluated.
pub enum Code {
    /// A constant.
    Const(Datum),
    /// A column of the row.
    Column(usize),
    /// A parameter, from zero.
    Param(usize),
    /// A value of the enclosing row.
    Outer(usize),
    /// The operand of the innermost simple CASE.
    Operand,
    /// A function of the table.
    Call(Box<CallCode>),
    /// A comparison of two integers.
    Compare(Compare, Box<(Code, Code)>),
    /// Arithmetic of two integers.
    Arith(Arith, Box<(Code, Code)>),
    /// Three-valued AND.
    And(Box<[Code]>),
    /// Three-valued OR.
    Or(Box<[Code]>),
    /// Three-valued NOT.
    Not(Box<Code>),
    /// IS \[NOT\] NULL.
    IsNull(Box<Code>, bool),
    /// IS \[NOT\] TRUE, FALSE, UNKNOWN.
    IsBool(Box<Code>, Option<bool>, bool),
    /// IS \[NOT\] DISTINCT FROM.
    IsDistinct(Box<CallCode>, bool),
    /// CASE.
    Case(Box<Case>),
    /// COALESCE.
    Coalesce(Box<[Code]>),
    /// NULLIF, by an equality.
    NullIf(Box<CallCode>),
    /// GREATEST (true) or LEAST, with the type of the arguments.
    MinMax(Box<[Code]>, bool, Oid),
    /// `op ANY|ALL (array)`.
    Quantified(Box<Quantified>),
    /// ARRAY\[...\], with the element type and whether the members are arrays.
    Array(Box<[Code]>, Oid, bool),
    /// `array[subscripts]`.
    Subscript(Box<Code>, Box<[Code]>),
    /// ROW(...), with the types of its fields.
    Row(Box<[Code]>, Vec<Oid>),
    /// A field of a record.
    Field(Box<Code>, usize),
    /// A subquery.
    SubPlan(Box<SubPlan>),
    /// The next value of a sequence, with the result's type.
    NextValue(Oid, Oid),
    /// A value of the session.
    Session(String, Oid),
    /// A cast through text: input, its type, the target, its modifier.
    ViaText(Box<Code>, Oid, Oid, i32),
    /// A type modifier: input, type, modifier, explicit.
    Typmod(Box<Code>, Oid, i32, bool),
}

/// A call with its argument buffer.
pub struct CallCode {
    /// The function.
    pub function: ScalarFn,
    /// NULL in, NULL out.
    pub strict: bool,
    /// The arguments.
    pub args: Box<[Code]>,
    /// Their types.
    pub types: Box<[Oid]>,
    /// The result's type.
    pub ret: Oid,
    /// The last argument is the array of a variadic function.
    pub spread: bool,
    /// The arguments' values.
    pub buffer: Vec<Datum>,
}

impl CallCode {
    /// Evaluates the arguments into the buffer; false when the function is
    /// strict and one of them is NULL.
    #[inline]
    fn arguments(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<bool> {
        self.buffer.clear();
        for arg in &mut self.args {
            let value = arg.eval(row, env)?;
            if self.strict && value.is_null() {
                return Ok(false);
            }
            self.buffer.push(value);
        }
        Ok(true)
    }

    /// Calls the function with what is in the buffer.
    #[inline]
    pub fn call(&self, env: &Env<'_>) -> SqlResult<Datum> {
        (self.function)(
            &self.buffer,
            &Call {
                ctx: env.session,
                args: &self.types,
                ret: self.ret,
                spread: self.spread,
            },
        )
    }

    fn eval(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Datum> {
        if self.arguments(row, env)? {
            self.call(env)
        } else {
            Ok(Datum::Null)
        }
    }
}

impl Code {
    /// The value over `row`.
    ///
    /// # Errors
    /// What the functions in it report.
    pub fn eval(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Datum> {
        match self {
            Code::Const(value) => Ok(value.clone()),
            Code::Column(at) => Ok(row[*at].clone()),
            Code::Param(at) => param(env, *at).cloned(),
            Code::Outer(at) => Ok(env.outer.get(*at).cloned().unwrap_or_default()),
            Code::Call(call) => call.eval(row, env),
            Code::Compare(..) | Code::And(_) | Code::Or(_) | Code::Not(_) => {
                Ok(self.eval_bool(row, env)?.map_or(Datum::Null, Datum::Bool))
            }
            Code::Arith(op, sides) => {
                let (Some(a), Some(b)) = (sides.0.eval_int(row, env)?, sides.1.eval_int(row, env)?)
                else {
                    return Ok(Datum::Null);
                };
                op.apply(a, b)
            }
            _ => self.eval_form(row, env),
        }
    }

    /// The value as a boolean; `None` is NULL.
    ///
    /// # Errors
    /// As [`Code::eval`].
    pub fn eval_bool(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Option<bool>> {
        match self {
            Code::Compare(op, sides) => {
                let Some(a) = sides.0.eval_int(row, env)? else {
                    return Ok(None);
                };
                let Some(b) = sides.1.eval_int(row, env)? else {
                    return Ok(None);
                };
                Ok(Some(op.holds(a.cmp(&b))))
            }
            Code::And(all) => {
                let mut unknown = false;
                for one in all {
                    match one.eval_bool(row, env)? {
                        Some(false) => return Ok(Some(false)),
                        Some(true) => {}
                        None => unknown = true,
                    }
                }
                Ok(if unknown { None } else { Some(true) })
            }
            Code::Or(all) => {
                let mut unknown = false;
                for one in all {
                    match one.eval_bool(row, env)? {
                        Some(true) => return Ok(Some(true)),
                        Some(false) => {}
                        None => unknown = true,
                    }
                }
                Ok(if unknown { None } else { Some(false) })
            }
            Code::Not(one) => Ok(one.eval_bool(row, env)?.map(|b| !b)),
            Code::Column(at) => Ok(row[*at].as_bool()),
            Code::Const(value) => Ok(value.as_bool()),
            _ => Ok(self.eval(row, env)?.as_bool()),
        }
    }

    /// Whether the value is true; what WHERE asks.
    ///
    /// # Errors
    /// As [`Code::eval`].
    #[inline]
    pub fn is_true(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<bool> {
        Ok(self.eval_bool(row, env)? == Some(true))
    }

    /// The value of an expression of an integer type; `None` is NULL.
    ///
    /// # Errors
    /// As [`Code::eval`].
    #[inline]
    pub fn eval_int(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Option<i64>> {
        match self {
            Code::Column(at) => Ok(row[*at].as_i64()),
            Code::Const(value) => Ok(value.as_i64()),
            Code::Param(at) => Ok(param(env, *at)?.as_i64()),
            Code::Outer(at) => Ok(env.outer.get(*at).and_then(Datum::as_i64)),
            _ => Ok(self.eval(row, env)?.as_i64()),
        }
    }

    /// Whether the value needs no evaluation beyond a look-up.
    pub(crate) fn as_column(&self) -> Option<usize> {
        match self {
            Code::Column(at) => Some(*at),
            _ => None,
        }
    }
}

/// Evaluates all into `out`, which is cleared first.
///
/// # Errors
/// As [`Code::eval`].
#[inline]
pub fn eval_all(
    codes: &mut [Code],
    row: &[Datum],
    env: &mut Env<'_>,
    out: &mut Vec<Datum>,
) -> SqlResult<()> {
    out.clear();
    for code in codes {
        out.push(code.eval(row, env)?);
    }
    Ok(())
}

fn param<'e>(env: &'e Env<'_>, at: usize) -> SqlResult<&'e Datum> {
    match env.params.get(at) {
        Some(value) => Ok(value),
        None => Err(no_param(at)),
    }
}

#[cold]
fn no_param(at: usize) -> SqlError {
    SqlError::new(
        pg_types::SqlState::PROTOCOL_VIOLATION,
        alloc::format!("no value was bound for parameter ${}", at + 1),
    )
}
