//! Scalar expressions: syntax to typed expressions.
//!
//! This is the dispatch; comparisons, calls and subqueries have their own files.

use crate::analyzer::{Analyzer, fold};
use crate::coerce::constant;
use crate::error;
use crate::logic::negate;
use crate::walk::type_of;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_builtins::{resolve_operator, resolve_prefix_operator};
use pg_parser_port::ast::{self, BinaryOperator, Expr as Ast, UnaryOperator};
use pg_plan::{CaseArm, Expr, SubLinkKind};
use pg_types::typeinfo::element_of;
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState, format_type, oid};

impl Analyzer<'_> {
    /// A scalar expression.
    pub fn expr(&mut self, ast: &Ast) -> SqlResult<Expr> {
        self.deeper(|a| a.expr_inner(ast))
    }

    /// Several.
    pub fn exprs<'e>(&mut self, list: impl IntoIterator<Item = &'e Ast>) -> SqlResult<Vec<Expr>> {
        list.into_iter().map(|ast| self.expr(ast)).collect()
    }

    /// A dispatch table, so longer than a function should be.
    fn expr_inner(&mut self, ast: &Ast) -> SqlResult<Expr> {
        match ast {
            Ast::Identifier(ident) => self.identifier(ident),
            Ast::CompoundIdentifier(idents) => self.compound(idents),
            Ast::Nested(inner) => self.expr(inner),
            Ast::Value(value) => self.literal(&value.value),
            Ast::TypedString(typed) => self.typed_string(typed),
            Ast::Interval(interval) => self.interval(interval),
            Ast::UnaryOp { op, expr } => self.unary(*op, expr),
            Ast::BinaryOp { left, op, right } => self.binary(left, op, right),
            Ast::IsNull(inner) => self.is_null(inner, false),
            Ast::IsNotNull(inner) => self.is_null(inner, true),
            Ast::IsTrue(inner) => self.is_bool(inner, Some(true), false, "IS TRUE"),
            Ast::IsNotTrue(inner) => self.is_bool(inner, Some(true), true, "IS NOT TRUE"),
            Ast::IsFalse(inner) => self.is_bool(inner, Some(false), false, "IS FALSE"),
            Ast::IsNotFalse(inner) => self.is_bool(inner, Some(false), true, "IS NOT FALSE"),
            Ast::IsUnknown(inner) => self.is_bool(inner, None, false, "IS UNKNOWN"),
            Ast::IsNotUnknown(inner) => self.is_bool(inner, None, true, "IS NOT UNKNOWN"),
            Ast::IsDistinctFrom(left, right) => self.is_distinct(left, right, false),
            Ast::IsNotDistinctFrom(left, right) => self.is_distinct(left, right, true),
            Ast::InList {
                expr,
                list,
                negated,
            } => self.in_list(expr, list, *negated),
            Ast::InSubquery {
                expr,
                subquery,
                negated,
            } => self.in_subquery(expr, subquery, *negated),
            Ast::Between {
                expr,
                negated,
                low,
                high,
            } => self.between(expr, low, high, *negated),
            Ast::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like("~~", expr, pattern, escape_char.as_deref(), *negated),
            Ast::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like("~~*", expr, pattern, escape_char.as_deref(), *negated),
            Ast::SimilarTo {
                negated,
                expr,
                pattern,
                escape_char,
            } => self.similar(expr, pattern, escape_char.as_deref(), *negated),
            Ast::AnyOp {
                left,
                compare_op,
                right,
                ..
            } => self.quantified(left, compare_op, right, true),
            Ast::AllOp {
                left,
                compare_op,
                right,
            } => self.quantified(left, compare_op, right, false),
            Ast::Cast {
                kind: ast::CastKind::Cast | ast::CastKind::DoubleColon,
                expr,
                data_type,
                format: None,
            } => self.cast_syntax(expr, data_type),
            Ast::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.case(operand.as_deref(), conditions, else_result.as_deref()),
            Ast::Function(function) => self.function(function),
            Ast::Exists { subquery, negated } => self.exists(subquery, *negated),
            Ast::Subquery(query) => self.scalar_subquery(query, SubLinkKind::Scalar),
            Ast::Array(array) => self.array(&array.elem, None),
            Ast::Tuple(list) => Ok(Expr::Row(self.row_fields(list)?)),
            Ast::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Ast::Collate { expr, collation } => self.collate(expr, collation),
            _ => self.special_form(ast),
        }
    }

    fn identifier(&mut self, ident: &ast::Ident) -> SqlResult<Expr> {
        let name = fold(ident);
        if ident.quote_style.is_none() && name == "default" {
            return Err(error::syntax("DEFAULT is not allowed in this context"));
        }
        self.resolve_name(&name)
    }

    fn compound(&mut self, idents: &[ast::Ident]) -> SqlResult<Expr> {
        let names: Vec<String> = idents.iter().map(fold).collect();
        match names.as_slice() {
            [column] => self.resolve_name(column),
            [item, column] => self.resolve_qualified(None, item, column),
            [schema, item, column] => self.resolve_qualified(Some(schema), item, column),
            [_, schema, item, column] => self.resolve_qualified(Some(schema), item, column),
            _ => Err(error::syntax(alloc::format!(
                "improper qualified name: {}",
                names.join(".")
            ))),
        }
    }

    fn unary(&mut self, op: UnaryOperator, operand: &Ast) -> SqlResult<Expr> {
        if op == UnaryOperator::Not {
            let inner = self.expr(operand)?;
            let inner = self.boolean(inner, "NOT")?;
            return Ok(negate(inner));
        }
        // The smallest integers are written with a sign.
        if let (UnaryOperator::Minus, Ast::Value(value)) = (op, operand)
            && let ast::Value::Number(digits, _) = &value.value
        {
            return crate::literal::number(&alloc::format!("-{digits}"));
        }
        let name = match op {
            UnaryOperator::PGPostfixFactorial | UnaryOperator::PGPrefixFactorial => {
                return Err(error::syntax(
                    "the factorial operator does not exist; use factorial()",
                ));
            }
            op => op.to_string(),
        };
        let inner = self.expr(operand)?;
        if name == "+" {
            // The identity on numbers; resolved so that others are refused.
            let resolved = resolve_prefix_operator("-", type_of(&inner))?;
            let to = resolved.arg_types.first().copied().unwrap_or(oid::FLOAT8);
            return self.implicit(inner, to);
        }
        self.prefix(&name, inner)
    }

    /// A prefix operator over a typed operand.
    pub fn prefix(&mut self, name: &str, operand: Expr) -> SqlResult<Expr> {
        let resolved = resolve_prefix_operator(name, type_of(&operand))?;
        let operand = self.coerced(
            alloc::vec![operand],
            &resolved.coercions,
            &resolved.arg_types,
        )?;
        Ok(self.call(resolved.op.func, operand, resolved.ret))
    }

    fn binary(&mut self, left: &Ast, op: &BinaryOperator, right: &Ast) -> SqlResult<Expr> {
        match op {
            BinaryOperator::And => return self.chain(left, right, true),
            BinaryOperator::Or => return self.chain(left, right, false),
            BinaryOperator::Xor
            | BinaryOperator::Assignment
            | BinaryOperator::DuckIntegerDivide => {
                return Err(SqlError::unsupported(alloc::format!("the operator {op}")));
            }
            _ => {}
        }
        let name = operator_name(op)?;
        if let Some(rows) = self.row_operands(left, right)? {
            return self.compare_rows(&name, rows.0, rows.1);
        }
        let left = self.expr(left)?;
        let right = self.expr(right)?;
        self.operator(&name, left, right)
    }

    /// A binary operator over typed operands.
    pub fn operator(&mut self, name: &str, left: Expr, right: Expr) -> SqlResult<Expr> {
        let resolved = resolve_operator(name, type_of(&left), type_of(&right))?;
        let args = self.coerced(
            alloc::vec![left, right],
            &resolved.coercions,
            &resolved.arg_types,
        )?;
        Ok(self.call(resolved.op.func, args, resolved.ret))
    }

    /// Arguments brought to a function's types.
    pub fn coerced(
        &mut self,
        args: Vec<Expr>,
        coercions: &[pg_builtins::Coercion],
        types: &[Oid],
    ) -> SqlResult<Vec<Expr>> {
        args.into_iter()
            .zip(coercions)
            .zip(types)
            .map(|((arg, coercion), to)| {
                // "any" takes what comes; what is unknown comes as text.
                let arg = if type_of(&arg) == oid::UNKNOWN && *to != oid::UNKNOWN {
                    return self.apply(arg, pg_builtins::Coercion::Literal, *to);
                } else {
                    arg
                };
                self.apply(arg, *coercion, *to)
            })
            .collect()
    }

    fn is_null(&mut self, inner: &Ast, negated: bool) -> SqlResult<Expr> {
        let input = self.expr(inner)?;
        let input = self.settle(input)?;
        if let Expr::Const { value, .. } = &input {
            return Ok(constant(Datum::Bool(value.is_null() != negated), oid::BOOL));
        }
        Ok(Expr::IsNull {
            input: input.into(),
            negated,
        })
    }

    fn is_bool(
        &mut self,
        inner: &Ast,
        value: Option<bool>,
        negated: bool,
        clause: &str,
    ) -> SqlResult<Expr> {
        let input = self.expr(inner)?;
        let input = self.boolean(input, clause)?;
        Ok(Expr::IsBool {
            input: input.into(),
            value,
            negated,
        })
    }

    fn cast_syntax(&mut self, inner: &Ast, data_type: &ast::DataType) -> SqlResult<Expr> {
        let (to, typmod) = self.resolve_type(data_type)?;
        let mut bare = inner;
        while let Ast::Nested(deeper) = bare {
            bare = deeper;
        }
        // An array constructor takes its element type from the cast.
        if let (Ast::Array(array), Some(element)) = (bare, element_of(to)) {
            let array = self.array(&array.elem, Some(element))?;
            return self.cast(array, to, typmod);
        }
        let inner = self.expr(inner)?;
        self.cast(inner, to, typmod)
    }

    fn case(
        &mut self,
        operand: Option<&Ast>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&Ast>,
    ) -> SqlResult<Expr> {
        let operand = match operand {
            Some(ast) => {
                let operand = self.expr(ast)?;
                Some(self.settle(operand)?)
            }
            None => None,
        };
        let mut whens = Vec::new();
        let mut values = Vec::new();
        // PostgreSQL unifies the ELSE branch first.
        values.push(match otherwise {
            Some(ast) => self.expr(ast)?,
            None => crate::coerce::null(oid::UNKNOWN),
        });
        for arm in conditions {
            let when = self.expr(&arm.condition)?;
            whens.push(match &operand {
                Some(operand) => {
                    let marker = Expr::CaseOperand {
                        type_oid: type_of(operand),
                    };
                    let equal = self.operator("=", marker, when)?;
                    self.boolean(equal, "CASE/WHEN")?
                }
                None => self.boolean(when, "CASE/WHEN")?,
            });
            values.push(self.expr(&arm.result)?);
        }
        let (mut values, type_oid) = self.unify(values, "CASE")?;
        let otherwise = values.remove(0);
        let arms = whens
            .into_iter()
            .zip(values)
            .map(|(when, then)| CaseArm { when, then })
            .collect();
        let otherwise = match &otherwise {
            Expr::Const {
                value: Datum::Null, ..
            } => None,
            _ => Some(otherwise.into()),
        };
        Ok(Expr::Case {
            operand: operand.map(Into::into),
            arms,
            otherwise,
            type_oid,
        })
    }

    /// The fields of a row constructor.
    pub fn row_fields(&mut self, list: &[Ast]) -> SqlResult<Vec<Expr>> {
        let mut out = Vec::new();
        for ast in list {
            let field = self.expr(ast)?;
            out.push(self.settle(field)?);
        }
        Ok(out)
    }

    fn collate(&mut self, inner: &Ast, collation: &ast::ObjectName) -> SqlResult<Expr> {
        let (_, name) = crate::analyzer::qualified(collation)?;
        if !matches!(
            name.as_str(),
            "C" | "POSIX" | "default" | "ucs_basic" | "c" | "posix"
        ) {
            return Err(SqlError::new(
                SqlState::UNDEFINED_OBJECT,
                alloc::format!("collation \"{name}\" for encoding \"UTF8\" does not exist"),
            ));
        }
        let value = self.expr(inner)?;
        let value = self.settle(value)?;
        let of = type_of(&value);
        if pg_types::typeinfo::type_info(of).is_none_or(|t| t.collation == 0)
            && element_of(of).is_none()
        {
            return Err(SqlError::new(
                SqlState::DATATYPE_MISMATCH,
                alloc::format!(
                    "collations are not supported by type {}",
                    format_type(of, -1)
                ),
            ));
        }
        Ok(value)
    }
}

/// An operator's symbol.
pub fn operator_name(op: &BinaryOperator) -> SqlResult<String> {
    Ok(match op {
        BinaryOperator::NotEq => "<>".into(),
        BinaryOperator::PGCustomBinaryOperator(parts) => match parts.as_slice() {
            [name] => name.clone(),
            [schema, name] if schema.eq_ignore_ascii_case("pg_catalog") => name.clone(),
            _ => return Err(SqlError::unsupported("an operator of another schema")),
        },
        BinaryOperator::PGLikeMatch => "~~".into(),
        BinaryOperator::PGILikeMatch => "~~*".into(),
        BinaryOperator::PGNotLikeMatch => "!~~".into(),
        BinaryOperator::PGNotILikeMatch => "!~~*".into(),
        other => match other.to_string().as_str() {
            "!=" => "<>".into(),
            name => name.into(),
        },
    })
}
