//! Bringing values to other types, and folding what is constant.

use crate::analyzer::Analyzer;
use crate::error;
use crate::walk::type_of;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_builtins::{
    Call, CastContext, Coercion, Volatility, coerce, common_type, function_by_oid, input_value,
};
use pg_plan::Expr;
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState, format_type, oid};

/// A constant.
pub fn constant(value: Datum, type_oid: Oid) -> Expr {
    Expr::Const { value, type_oid }
}

/// A typed NULL.
pub fn null(type_oid: Oid) -> Expr {
    constant(Datum::Null, type_oid)
}

/// A literal of unknown type.
pub fn unknown(text: &str) -> Expr {
    constant(Datum::text(text), oid::UNKNOWN)
}

impl Analyzer<'_> {
    /// Brings `expr` to `to` where the context allows it; `None` where not.
    pub fn try_coerce(
        &mut self,
        expr: Expr,
        to: Oid,
        context: CastContext,
    ) -> SqlResult<Option<Expr>> {
        let from = type_of(&expr);
        if from == to {
            return Ok(Some(expr));
        }
        if from == oid::UNKNOWN {
            return self.coerce_unknown(expr, to).map(Some);
        }
        let Some(coercion) = coerce(from, to, context) else {
            return Ok(None);
        };
        self.apply(expr, coercion, to).map(Some)
    }

    /// Applies a settled coercion.
    pub fn apply(&mut self, expr: Expr, coercion: Coercion, to: Oid) -> SqlResult<Expr> {
        let from = type_of(&expr);
        Ok(match coercion {
            Coercion::None => expr,
            Coercion::Literal => return self.coerce_unknown(expr, to),
            Coercion::Relabel => relabel(expr, to),
            Coercion::Function(function) => self.call(function, alloc::vec![expr], to),
            Coercion::InOut | Coercion::Elements => self.fold(Expr::CastViaText {
                input: expr.into(),
                from,
                type_oid: to,
                typmod: -1,
            }),
        })
    }

    /// A literal, parameter or NULL of unknown type becomes one of type `to`.
    fn coerce_unknown(&mut self, expr: Expr, to: Oid) -> SqlResult<Expr> {
        match expr {
            Expr::Const {
                value: Datum::Text(text),
                ..
            } => {
                let value = match to {
                    oid::UNKNOWN | oid::ANY => Datum::Text(text),
                    _ => input_value(to, -1, text.as_str(), self.ctx.eval)?,
                };
                Ok(constant(value, if to == oid::ANY { oid::TEXT } else { to }))
            }
            Expr::Const { value, .. } => Ok(constant(value, to)),
            Expr::Param { number, .. } => {
                let to = if to == oid::ANY { oid::TEXT } else { to };
                self.settle_param(number, to)?;
                Ok(Expr::Param {
                    number,
                    type_oid: to,
                })
            }
            // A column of unknown type can only come from a subquery whose
            // literals were already made text.
            other => Ok(Expr::CastViaText {
                input: other.into(),
                from: oid::TEXT,
                type_oid: to,
                typmod: -1,
            }),
        }
    }

    fn settle_param(&mut self, number: usize, to: Oid) -> SqlResult<()> {
        let Some(known) = self.params.get_mut(number - 1) else {
            return Ok(());
        };
        if *known == oid::UNKNOWN {
            *known = to;
        } else if *known != to {
            return Err(SqlError::new(
                SqlState::AMBIGUOUS_PARAMETER,
                format!("inconsistent types deduced for parameter ${number}"),
            )
            .with_detail(format!(
                "{} versus {}",
                format_type(*known, -1),
                format_type(to, -1)
            )));
        }
        Ok(())
    }

    /// An explicit cast.
    pub fn cast(&mut self, expr: Expr, to: Oid, typmod: i32) -> SqlResult<Expr> {
        let from = type_of(&expr);
        // A typed literal is read with its modifier: '5' :: interval day.
        if let Expr::Const {
            value: Datum::Text(text),
            type_oid: oid::UNKNOWN,
        } = &expr
        {
            let value = input_value(
                to,
                if to == oid::INTERVAL { typmod } else { -1 },
                text.as_str(),
                self.ctx.eval,
            )?;
            return Ok(self.modify(constant(value, to), to, typmod, true));
        }
        if let Some(done) = self.row_cast(&expr, to) {
            return Ok(done);
        }
        match self.try_coerce(expr, to, CastContext::Explicit)? {
            Some(expr) => Ok(self.modify(expr, to, typmod, true)),
            None => Err(error::no_cast(from, to)),
        }
    }

    fn row_cast(&self, expr: &Expr, to: Oid) -> Option<Expr> {
        let textual = matches!(to, oid::TEXT | oid::VARCHAR) && type_of(expr) == oid::RECORD;
        textual.then(|| Expr::CastViaText {
            input: Box::new(expr.clone()),
            from: oid::RECORD,
            type_oid: to,
            typmod: -1,
        })
    }

    /// Applies a type modifier where there is one and it is not there already.
    pub fn modify(&mut self, expr: Expr, type_oid: Oid, typmod: i32, explicit: bool) -> Expr {
        if typmod < 0 || self.typmod_of(&expr) == typmod && type_of(&expr) == type_oid {
            return expr;
        }
        self.fold(Expr::ApplyTypmod {
            input: expr.into(),
            type_oid,
            typmod,
            explicit,
        })
    }

    /// Brings a value to a column it is stored in.
    pub fn assign(&mut self, expr: Expr, column: &str, to: Oid, typmod: i32) -> SqlResult<Expr> {
        let from = type_of(&expr);
        match self.try_coerce(expr, to, CastContext::Assignment)? {
            Some(expr) => Ok(self.modify(expr, to, typmod, false)),
            None => Err(SqlError::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "column \"{column}\" is of type {} but expression is of type {}",
                    format_type(to, -1),
                    format_type(from, -1)
                ),
            )
            .with_hint("You will need to rewrite or cast the expression.")),
        }
    }

    /// Brings a condition to boolean.
    pub fn boolean(&mut self, expr: Expr, clause: &str) -> SqlResult<Expr> {
        let from = type_of(&expr);
        match self.try_coerce(expr, oid::BOOL, CastContext::Assignment)? {
            Some(expr) => Ok(expr),
            None => Err(error::not_boolean(clause, from)),
        }
    }

    /// Makes text of what is still of unknown type.
    pub fn settle(&mut self, expr: Expr) -> SqlResult<Expr> {
        match type_of(&expr) {
            oid::UNKNOWN => self.coerce_unknown(expr, oid::TEXT),
            _ => Ok(expr),
        }
    }

    /// Brings all to their common type.
    pub fn unify(&mut self, list: Vec<Expr>, context: &str) -> SqlResult<(Vec<Expr>, Oid)> {
        let types: Vec<Oid> = list.iter().map(type_of).collect();
        let to = common_type(&types, context)?;
        let list = list
            .into_iter()
            .map(|e| self.implicit(e, to))
            .collect::<SqlResult<_>>()?;
        Ok((list, to))
    }

    /// Brings a value to a type by an implicit cast.
    pub fn implicit(&mut self, expr: Expr, to: Oid) -> SqlResult<Expr> {
        let from = type_of(&expr);
        self.try_coerce(expr, to, CastContext::Implicit)?
            .ok_or_else(|| error::no_cast(from, to))
    }

    /// A call of a function whose arguments have its types.
    pub fn call(&mut self, function: Oid, args: Vec<Expr>, type_oid: Oid) -> Expr {
        self.fold(Expr::Call {
            function,
            args,
            type_oid,
        })
    }

    /// Computes what depends on nothing but constants. What fails stays, to fail
    /// when it is run, if it is.
    pub fn fold(&self, expr: Expr) -> Expr {
        match self.folded(&expr) {
            Some(Ok(value)) => constant(value, type_of(&expr)),
            _ => expr,
        }
    }

    fn folded(&self, expr: &Expr) -> Option<SqlResult<Datum>> {
        let value = |e: &Expr| match e {
            Expr::Const { value, .. } => Some(value.clone()),
            _ => None,
        };
        match expr {
            Expr::Call {
                function,
                args,
                type_oid,
            } => self.folded_call(*function, args, *type_oid),
            Expr::CastViaText {
                input,
                from,
                type_oid,
                typmod,
            } if pg_types::typeinfo::element_of(*from).is_none() => {
                let input = value(input)?;
                if input.is_null() {
                    return Some(Ok(input));
                }
                // Text forms of these depend on nothing.
                let plain = |t: Oid| {
                    matches!(
                        t,
                        oid::INT2 | oid::INT4 | oid::INT8 | oid::BOOL | oid::NUMERIC | oid::UUID
                    ) || pg_types::typeinfo::is_string(t)
                };
                (plain(*from) && plain(*type_oid))
                    .then(|| pg_builtins::via_text(input, *from, *type_oid, *typmod, self.ctx.eval))
            }
            Expr::ApplyTypmod {
                input,
                type_oid,
                typmod,
                explicit,
            } => Some(pg_builtins::apply_typmod(
                value(input)?,
                *type_oid,
                *typmod,
                *explicit,
            )),
            _ => None,
        }
    }

    /// A call of an immutable function over constants, or of a strict one with
    /// NULL.
    fn folded_call(&self, function: Oid, args: &[Expr], type_oid: Oid) -> Option<SqlResult<Datum>> {
        let known = function_by_oid(function)?;
        known.scalar()?;
        let is_null = |e: &Expr| matches!(e, Expr::Const { value, .. } if value.is_null());
        if known.strict && args.iter().any(is_null) {
            return Some(Ok(Datum::Null));
        }
        if known.volatility != Volatility::Immutable {
            return None;
        }
        let value = |e: &Expr| match e {
            Expr::Const { value, .. } => Some(value.clone()),
            _ => None,
        };
        let values: Vec<Datum> = args.iter().map(value).collect::<Option<_>>()?;
        let types: Vec<Oid> = args.iter().map(type_of).collect();
        let call = Call::new(self.ctx.eval, &types, type_oid);
        Some(pg_builtins::call_by_oid(function, &values, &call))
    }

    /// The error of a function that does not exist, with the types as a client
    /// sees them.
    pub fn no_function(name: &str, args: &[Oid]) -> SqlError {
        let names: Vec<String> = args.iter().map(|t| format_type(*t, -1)).collect();
        SqlError::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("function {name}({}) does not exist", names.join(", ")),
        )
        .with_hint("No function matches the given name and argument types. You might need to add explicit type casts.")
    }
}

/// The same value under another type.
pub fn relabel(expr: Expr, to: Oid) -> Expr {
    match expr {
        Expr::Const { value, .. } => constant(value, to),
        Expr::Relabel { input, .. } if type_of(&input) == to => *input,
        other => Expr::Relabel {
            input: other.into(),
            type_oid: to,
        },
    }
}
