//! From `pg_plan::Expr` to [`Code`].

use super::{Arith, CallCode, Case, Code, Compare, Quantified, SubPlan, type_of};
use crate::builtins;
use crate::op::Builder;
use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_plan::Expr;
use pg_types::typeinfo::element_of;
use pg_types::{Oid, SqlResult, oid};

/// Compiles an expression.
///
/// # Errors
/// When it uses a function that does not exist, or a subplan cannot be built.
pub fn compile(expr: &Expr, builder: &mut Builder) -> SqlResult<Code> {
    Ok(match expr {
        Expr::Const { value, .. } => Code::Const(value.clone()),
        Expr::Column { index, .. } => Code::Column(*index),
        Expr::Param { number, .. } => Code::Param(number.saturating_sub(1)),
        Expr::Outer { index, .. } => Code::Outer(*index),
        Expr::CaseOperand { .. } => Code::Operand,
        Expr::Call {
            function,
            args,
            type_oid,
        } => compile_call(*function, args, *type_oid, builder)?,
        Expr::Relabel { input, .. } => compile(input, builder)?,
        Expr::And(all) => Code::And(compile_all(all, builder)?.into()),
        Expr::Or(all) => Code::Or(compile_all(all, builder)?.into()),
        Expr::Not(one) => Code::Not(boxed(one, builder)?),
        Expr::IsNull { input, negated } => Code::IsNull(boxed(input, builder)?, *negated),
        Expr::IsBool {
            input,
            value,
            negated,
        } => Code::IsBool(boxed(input, builder)?, *value, *negated),
        Expr::IsDistinct {
            left,
            right,
            equal,
            negated,
        } => Code::IsDistinct(
            Box::new(pair(*equal, left, right, oid::BOOL, builder)?),
            *negated,
        ),
        Expr::NullIf {
            left, right, equal, ..
        } => Code::NullIf(Box::new(pair(*equal, left, right, oid::BOOL, builder)?)),
        Expr::Coalesce { args, .. } => Code::Coalesce(compile_all(args, builder)?.into()),
        Expr::MinMax {
            args,
            greatest,
            type_oid,
        } => Code::MinMax(compile_all(args, builder)?.into(), *greatest, *type_oid),
        Expr::Row(fields) => Code::Row(
            compile_all(fields, builder)?.into(),
            fields.iter().map(type_of).collect(),
        ),
        Expr::Field { record, index, .. } => Code::Field(boxed(record, builder)?, *index),
        Expr::SubLink(link) => Code::SubPlan(Box::new(SubPlan::compile(link, builder)?)),
        Expr::NextValue { sequence, type_oid } => Code::NextValue(*sequence, *type_oid),
        Expr::Session { name, type_oid } => Code::Session(name.clone(), *type_oid),
        Expr::CastViaText {
            input,
            from,
            type_oid,
            typmod,
        } => Code::ViaText(boxed(input, builder)?, *from, *type_oid, *typmod),
        Expr::ApplyTypmod {
            input,
            type_oid,
            typmod,
            explicit,
        } => Code::Typmod(boxed(input, builder)?, *type_oid, *typmod, *explicit),
        Expr::Case { .. }
        | Expr::Quantified { .. }
        | Expr::Array { .. }
        | Expr::Subscript { .. } => compile_form(expr, builder)?,
    })
}

fn compile_form(expr: &Expr, builder: &mut Builder) -> SqlResult<Code> {
    Ok(match expr {
        Expr::Case {
            operand,
            arms,
            otherwise,
            ..
        } => {
            let mut compiled = Vec::with_capacity(arms.len());
            for arm in arms {
                compiled.push((compile(&arm.when, builder)?, compile(&arm.then, builder)?));
            }
            Code::Case(Box::new(Case {
                operand: compile_option(operand.as_deref(), builder)?,
                arms: compiled.into(),
                otherwise: compile_option(otherwise.as_deref(), builder)?,
            }))
        }
        Expr::Quantified {
            left,
            array,
            function,
            quantifier,
        } => {
            let element = element_of(type_of(array)).unwrap_or(oid::UNKNOWN);
            Code::Quantified(Box::new(Quantified {
                call: bare_call(*function, &[type_of(left), element], oid::BOOL)?,
                left: compile(left, builder)?,
                array: compile(array, builder)?,
                quantifier: *quantifier,
                plain_equal: builtins::is_hashable_equality(*function),
            }))
        }
        Expr::Array {
            elements,
            element,
            type_oid,
        } => {
            let nested = elements
                .iter()
                .any(|e| type_of(e) == *type_oid && *element != *type_oid);
            Code::Array(compile_all(elements, builder)?.into(), *element, nested)
        }
        Expr::Subscript {
            array, subscripts, ..
        } => Code::Subscript(
            boxed(array, builder)?,
            compile_all(subscripts, builder)?.into(),
        ),
        other => compile(other, builder)?,
    })
}

fn boxed(expr: &Expr, builder: &mut Builder) -> SqlResult<Box<Code>> {
    Ok(Box::new(compile(expr, builder)?))
}

/// Compiles several expressions.
///
/// # Errors
/// As [`compile`].
pub fn compile_all(exprs: &[Expr], builder: &mut Builder) -> SqlResult<Vec<Code>> {
    exprs.iter().map(|e| compile(e, builder)).collect()
}

/// Compiles an expression if there is one.
///
/// # Errors
/// As [`compile`].
pub fn compile_option(expr: Option<&Expr>, builder: &mut Builder) -> SqlResult<Option<Code>> {
    expr.map(|e| compile(e, builder)).transpose()
}

fn compile_call(id: Oid, args: &[Expr], ret: Oid, builder: &mut Builder) -> SqlResult<Code> {
    let (body, function) = builtins::scalar(id)?;
    if let [left, right] = args {
        let sides = |builder: &mut Builder| -> SqlResult<Box<(Code, Code)>> {
            Ok(Box::new((
                compile(left, builder)?,
                compile(right, builder)?,
            )))
        };
        if let Some(op) = Compare::of(function.name) {
            return Ok(Code::Compare(op, sides(builder)?));
        }
        if let Some(op) = Arith::of(function.name, function.ret) {
            return Ok(Code::Arith(op, sides(builder)?));
        }
    }
    Ok(Code::Call(Box::new(CallCode {
        function: body,
        strict: function.strict,
        args: compile_all(args, builder)?.into(),
        types: args.iter().map(type_of).collect(),
        ret,
        spread: spreads(function, args),
        buffer: Vec::with_capacity(args.len()),
    })))
}

/// Whether a variadic function got its array as such: then the last argument is
/// an array of what it takes one by one otherwise.
fn spreads(function: &builtins::Function, args: &[Expr]) -> bool {
    let element = args.last().map(type_of).and_then(element_of);
    function.variadic && element.is_some() && function.args.last().copied() == element
}

fn pair(
    function: Oid,
    left: &Expr,
    right: &Expr,
    ret: Oid,
    builder: &mut Builder,
) -> SqlResult<CallCode> {
    let mut call = bare_call(function, &[type_of(left), type_of(right)], ret)?;
    call.args = Box::new([compile(left, builder)?, compile(right, builder)?]);
    Ok(call)
}

/// A call whose caller fills the buffer itself.
pub(super) fn bare_call(function: Oid, types: &[Oid], ret: Oid) -> SqlResult<CallCode> {
    let (body, function) = builtins::scalar(function)?;
    Ok(CallCode {
        function: body,
        strict: function.strict,
        args: Box::new([]),
        types: types.into(),
        ret,
        spread: false,
        buffer: Vec::with_capacity(types.len()),
    })
}
