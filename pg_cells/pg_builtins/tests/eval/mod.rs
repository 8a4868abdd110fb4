//! A small evaluator of constant expressions, for tests: parses with sqlparser,
//! resolves and runs with this crate alone.

mod types;

use pg_builtins::resolve::{
    Coercion, coerce, resolve_function, resolve_operator, resolve_prefix_operator,
};
use pg_builtins::*;
use pg_types::oid;
use pg_types::{Datum, FormatSettings, Numeric, Oid, SqlError, SqlResult, SqlState, type_name};
use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, TrimWhereField, UnaryOperator, Value,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use types::{interval_typmod, type_of};

/// A value and its type.
#[derive(Clone, Debug)]
struct Typed {
    value: Datum,
    ty: Oid,
}

fn typed(value: Datum, ty: Oid) -> SqlResult<Typed> {
    Ok(Typed { value, ty })
}

fn unknown(text: &str) -> Typed {
    Typed {
        value: Datum::text(text),
        ty: oid::UNKNOWN,
    }
}

/// Type name and text form of an expression's value.
#[allow(dead_code)] // Each test file uses its part.
pub fn evaluate(text: &str) -> SqlResult<(String, String)> {
    evaluate_with(text, FormatSettings::default())
}

/// The same under some settings.
#[allow(dead_code)] // Each test file uses its part.
pub fn evaluate_with(text: &str, settings: FormatSettings) -> SqlResult<(String, String)> {
    let expr = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(text)
        .and_then(|mut p| p.parse_expr())
        .map_err(|e| SqlError::new(SqlState::SYNTAX_ERROR, e.to_string()))?;
    let ctx = BasicContext::new(settings);
    let v = Eval { ctx: &ctx }.expr(&expr)?;
    let name = type_name(v.ty);
    let text = output_text(&v.value, v.ty, &ctx)?.unwrap_or_else(|| "NULL".into());
    Ok((name, text))
}

fn number(e: &Expr) -> Option<String> {
    match e {
        Expr::Value(v) => match &v.value {
            Value::Number(n, _) => Some(n.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The texts of the rows of a set-returning function.
#[allow(dead_code)] // Each test file uses its part.
pub fn evaluate_set(text: &str) -> SqlResult<Vec<Option<String>>> {
    let expr = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(text)
        .and_then(|mut p| p.parse_expr())
        .map_err(|e| SqlError::new(SqlState::SYNTAX_ERROR, e.to_string()))?;
    let Expr::Function(f) = &expr else {
        panic!("{text} is no call");
    };
    let ctx = BasicContext::default();
    let eval = Eval { ctx: &ctx };
    let args = eval.arguments(f)?;
    let types: Vec<Oid> = args.iter().map(|a| a.ty).collect();
    let r = resolve_function(&f.name.to_string(), &types)?;
    let mut values = Vec::new();
    for ((arg, ty), how) in args.into_iter().zip(&r.arg_types).zip(&r.coercions) {
        values.push(eval.bring(arg, *ty, *how)?);
    }
    let Body::Set(body) = r.func.body else {
        panic!("{text} gives no set");
    };
    let call = Call::new(&ctx, &r.arg_types, r.ret);
    body(&values, &call)?
        .map(|row| output_text(&row?, r.ret, &ctx))
        .collect()
}

struct Eval<'a> {
    ctx: &'a BasicContext,
}

impl Eval<'_> {
    /// A dispatch table, so longer than a function should be.
    fn expr(&self, e: &Expr) -> SqlResult<Typed> {
        match e {
            Expr::Value(v) => self.literal(&v.value),
            Expr::Nested(e) => self.expr(e),
            Expr::Collate { expr, .. } => self.expr(expr),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                ..
            } => {
                let (ty, typmod) = type_of(&data_type.to_string(), self.ctx)?;
                self.cast(self.expr(expr)?, ty, typmod)
            }
            Expr::TypedString(t) => {
                let (ty, typmod) = type_of(&t.data_type.to_string(), self.ctx)?;
                let text = t.value.clone().into_string().unwrap_or_default();
                typed(input_value(ty, typmod, &text, self.ctx)?, ty)
            }
            Expr::Interval(i) => {
                let typmod = interval_typmod(i);
                self.cast(self.expr(&i.value)?, oid::INTERVAL, typmod)
            }
            // The grammar folds a sign into a number: -2147483648 is an integer.
            Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr,
            } if number(expr).is_some() => self.literal(&Value::Number(
                format!("-{}", number(expr).unwrap_or_default()),
                false,
            )),
            Expr::UnaryOp { op, expr } => self.unary(op, self.expr(expr)?),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::IsNull(e) => typed(Datum::Bool(self.expr(e)?.value.is_null()), oid::BOOL),
            Expr::Between {
                expr, low, high, ..
            } => {
                let v = self.expr(expr)?;
                let low = self.operator(">=", v.clone(), self.expr(low)?)?;
                let high = self.operator("<=", v, self.expr(high)?)?;
                typed(
                    Datum::Bool(low.value.is_true() && high.value.is_true()),
                    oid::BOOL,
                )
            }
            Expr::Like {
                negated,
                expr,
                pattern,
                escape_char,
                ..
            } => {
                let pattern = self.escaped("like_escape", pattern, escape_char.as_deref())?;
                self.operator(
                    if *negated { "!~~" } else { "~~" },
                    self.expr(expr)?,
                    pattern,
                )
            }
            Expr::ILike {
                negated,
                expr,
                pattern,
                escape_char,
                ..
            } => {
                let pattern = self.escaped("like_escape", pattern, escape_char.as_deref())?;
                self.operator(
                    if *negated { "!~~*" } else { "~~*" },
                    self.expr(expr)?,
                    pattern,
                )
            }
            Expr::SimilarTo { expr, pattern, .. } => {
                let pattern = self.call("similar_to_escape", vec![self.expr(pattern)?])?;
                self.operator("~", self.expr(expr)?, pattern)
            }
            Expr::Extract { field, expr, .. } => self.call(
                "extract",
                vec![unknown(&field.to_string().to_lowercase()), self.expr(expr)?],
            ),
            Expr::AtTimeZone {
                timestamp,
                time_zone,
            } => self.call(
                "timezone",
                vec![self.expr(time_zone)?, self.expr(timestamp)?],
            ),
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                let name = if matches!(e, Expr::Ceil { .. }) {
                    "ceil"
                } else {
                    "floor"
                };
                assert!(matches!(field, CeilFloorKind::DateTimeField(_)));
                self.call(name, vec![self.expr(expr)?])
            }
            Expr::Position { expr, r#in } => {
                self.call("position", vec![self.expr(r#in)?, self.expr(expr)?])
            }
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                shorthand,
                ..
            } => {
                let mut args = vec![self.expr(expr)?];
                match substring_from {
                    Some(from) => args.push(self.expr(from)?),
                    None => args.push(Typed {
                        value: Datum::Int4(1),
                        ty: oid::INT4,
                    }),
                }
                if let Some(e) = substring_for {
                    args.push(self.expr(e)?);
                }
                self.call(if *shorthand { "substr" } else { "substring" }, args)
            }
            Expr::Trim {
                trim_where,
                trim_what,
                expr,
                trim_characters,
            } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    _ => "btrim",
                };
                let mut args = vec![self.expr(expr)?];
                for e in trim_what
                    .iter()
                    .map(|e| &**e)
                    .chain(trim_characters.iter().flatten())
                {
                    args.push(self.expr(e)?);
                }
                self.call(name, args)
            }
            Expr::Overlay {
                expr,
                overlay_what,
                overlay_from,
                overlay_for,
            } => {
                let mut args = vec![
                    self.expr(expr)?,
                    self.expr(overlay_what)?,
                    self.expr(overlay_from)?,
                ];
                if let Some(e) = overlay_for {
                    args.push(self.expr(e)?);
                }
                self.call("overlay", args)
            }
            Expr::Array(a) => {
                let items = a
                    .elem
                    .iter()
                    .map(|e| self.expr(e))
                    .collect::<SqlResult<Vec<_>>>()?;
                self.array(items)
            }
            Expr::Function(f) => {
                let name = f.name.to_string().to_lowercase();
                let args = self.arguments(f)?;
                if name == "coalesce" {
                    let v = args.into_iter().find(|a| !a.value.is_null());
                    return Ok(v.map_or(
                        Typed {
                            value: Datum::Null,
                            ty: oid::TEXT,
                        },
                        |mut v| {
                            v.ty = if v.ty == oid::UNKNOWN {
                                oid::TEXT
                            } else {
                                v.ty
                            };
                            v
                        },
                    ));
                }
                self.call(&name, args)
            }
            other => Err(SqlError::unsupported(format!("{other:?} in this test"))),
        }
    }

    fn arguments(&self, f: &Function) -> SqlResult<Vec<Typed>> {
        let mut args = Vec::new();
        if let FunctionArguments::List(list) = &f.args {
            for a in &list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) = a {
                    args.push(self.expr(e)?);
                }
            }
        }
        Ok(args)
    }

    fn literal(&self, v: &Value) -> SqlResult<Typed> {
        match v {
            Value::Number(n, _) => {
                if let Ok(v) = n.parse::<i32>() {
                    typed(Datum::Int4(v), oid::INT4)
                } else if let Ok(v) = n.parse::<i64>() {
                    typed(Datum::Int8(v), oid::INT8)
                } else {
                    typed(Datum::Numeric(Numeric::parse(n)?), oid::NUMERIC)
                }
            }
            Value::Boolean(b) => typed(Datum::Bool(*b), oid::BOOL),
            Value::Null => typed(Datum::Null, oid::UNKNOWN),
            Value::SingleQuotedString(s) | Value::EscapedStringLiteral(s) => Ok(unknown(s)),
            other => Err(SqlError::unsupported(format!("{other:?} in this test"))),
        }
    }

    fn escaped(&self, function: &str, pattern: &Expr, escape: Option<&Expr>) -> SqlResult<Typed> {
        let pattern = self.expr(pattern)?;
        match escape {
            Some(e) => self.call(function, vec![pattern, self.expr(e)?]),
            None => Ok(pattern),
        }
    }

    /// Brings a value to a type by a settled coercion.
    fn bring(&self, v: Typed, to: Oid, how: Coercion) -> SqlResult<Datum> {
        apply(how, v.value, v.ty, to, self.ctx)
    }

    fn cast(&self, v: Typed, to: Oid, typmod: i32) -> SqlResult<Typed> {
        if v.ty == oid::UNKNOWN {
            let value = match &v.value {
                Datum::Text(s) if matches!(to, oid::VARCHAR | oid::BPCHAR) => {
                    apply_typmod(input_value(to, -1, s, self.ctx)?, to, typmod, true)?
                }
                Datum::Text(s) => input_value(to, typmod, s, self.ctx)?,
                _ => Datum::Null,
            };
            return typed(value, to);
        }
        let how = coerce(v.ty, to, CastContext::Explicit).ok_or_else(|| {
            SqlError::new(
                SqlState::CANNOT_COERCE,
                format!("cannot cast type {} to {}", type_name(v.ty), type_name(to)),
            )
        })?;
        let value = self.bring(v, to, how)?;
        typed(apply_typmod(value, to, typmod, true)?, to)
    }

    fn unary(&self, op: &UnaryOperator, v: Typed) -> SqlResult<Typed> {
        let name = op.to_string();
        if name == "NOT" {
            return typed(v.value.as_bool().map(|b| !b).into(), oid::BOOL);
        }
        let r = resolve_prefix_operator(&name, v.ty)?;
        self.run(r.op.func, vec![v], &r.arg_types, &r.coercions, r.ret)
    }

    fn binary(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> SqlResult<Typed> {
        let (l, r) = match (left, right, op) {
            (Expr::Tuple(l), Expr::Tuple(r), BinaryOperator::Overlaps) => {
                let args = l
                    .iter()
                    .chain(r)
                    .map(|e| self.expr(e))
                    .collect::<SqlResult<Vec<_>>>()?;
                return self.call("overlaps", args);
            }
            _ => (self.expr(left)?, self.expr(right)?),
        };
        match op {
            BinaryOperator::And | BinaryOperator::Or => {
                let is_or = *op == BinaryOperator::Or;
                let (a, b) = (l.value.as_bool(), r.value.as_bool());
                let out = match (a, b) {
                    (Some(x), _) | (_, Some(x)) if x == is_or => Some(is_or),
                    (Some(_), Some(_)) => Some(!is_or),
                    _ => None,
                };
                typed(out.into(), oid::BOOL)
            }
            _ => self.operator(&op.to_string(), l, r),
        }
    }

    fn operator(&self, name: &str, l: Typed, r: Typed) -> SqlResult<Typed> {
        let found = resolve_operator(name, l.ty, r.ty)?;
        self.run(
            found.op.func,
            vec![l, r],
            &found.arg_types,
            &found.coercions,
            found.ret,
        )
    }

    fn call(&self, name: &str, args: Vec<Typed>) -> SqlResult<Typed> {
        let types: Vec<Oid> = args.iter().map(|a| a.ty).collect();
        match resolve_function(name, &types) {
            Ok(r) => self.run(r.func.oid, args, &r.arg_types, &r.coercions, r.ret),
            // `int4(x)` is a cast when no function fits.
            Err(e) => match (pg_builtins::system::builtin_type(name), args.as_slice()) {
                (Some(ty), [one]) => self.cast(one.clone(), ty, -1),
                _ => Err(e),
            },
        }
    }

    fn run(
        &self,
        func: Oid,
        args: Vec<Typed>,
        types: &[Oid],
        how: &[Coercion],
        ret: Oid,
    ) -> SqlResult<Typed> {
        let mut values = Vec::new();
        for ((arg, ty), how) in args.into_iter().zip(types).zip(how) {
            values.push(self.bring(arg, *ty, *how)?);
        }
        let call = Call::new(self.ctx, types, ret);
        typed(call_by_oid(func, &values, &call)?, ret)
    }

    fn array(&self, items: Vec<Typed>) -> SqlResult<Typed> {
        let types: Vec<Oid> = items.iter().map(|i| i.ty).collect();
        let elem = common_type(&types, "ARRAY")?;
        let mut values = Vec::new();
        for item in items {
            let how = coerce(item.ty, elem, CastContext::Implicit)
                .ok_or_else(|| SqlError::new(SqlState::CANNOT_COERCE, "no such coercion"))?;
            values.push(self.bring(item, elem, how)?);
        }
        // An array of arrays has one more dimension.
        if pg_types::typeinfo::element_of(elem).is_some() {
            let call = Call::new(self.ctx, &[], elem);
            let agg = function_by_oid(4053).map(|f| f.oid).unwrap_or_default();
            let mut state = AggState::new(agg, &[elem])?;
            for v in &values {
                state.step(std::slice::from_ref(v), &call)?;
            }
            return typed(state.finish(&call)?, elem);
        }
        let array = pg_types::typeinfo::array_of(elem).unwrap_or(oid::ANYARRAY);
        typed(Datum::array(elem, values), array)
    }
}
