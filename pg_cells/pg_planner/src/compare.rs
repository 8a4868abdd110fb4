//! Comparisons: BETWEEN, IN lists, LIKE and its kin, row values, ANY and ALL
//! over arrays, IS DISTINCT FROM.

use crate::analyzer::Analyzer;
use crate::array::fold_array;
use crate::coerce::constant;
use crate::error;
use crate::expr::operator_name;
use crate::logic::{connect, negate};
use crate::walk::{any, type_of};
use alloc::format;
use alloc::vec::Vec;
use pg_builtins::{common_type, resolve_operator};
use pg_parser_port::ast::{self, BinaryOperator, Expr as Ast};
use pg_plan::{Expr, Quantifier};
use pg_types::typeinfo::element_of;
use pg_types::{Datum, SqlError, SqlResult, SqlState, oid};

/// The members of a row constructor: `(a, b)` or `ROW(a, b)`.
pub fn row_members(ast: &Ast) -> Option<Vec<&Ast>> {
    match ast {
        Ast::Tuple(list) => Some(list.iter().collect()),
        Ast::Nested(inner) => row_members(inner),
        Ast::Function(f) if f.name.to_string().eq_ignore_ascii_case("row") && f.over.is_none() => {
            match &f.args {
                ast::FunctionArguments::List(list) => list
                    .args
                    .iter()
                    .map(|arg| match arg {
                        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(e)) => Some(e),
                        _ => None,
                    })
                    .collect(),
                _ => None,
            }
        }
        _ => None,
    }
}

use alloc::string::ToString;

impl Analyzer<'_> {
    /// `expr [NOT] BETWEEN low AND high`.
    pub fn between(&mut self, expr: &Ast, low: &Ast, high: &Ast, negated: bool) -> SqlResult<Expr> {
        let value = self.expr(expr)?;
        let low = self.expr(low)?;
        let high = self.expr(high)?;
        let (first, second) = if negated { ("<", ">") } else { (">=", "<=") };
        let first = self.operator(first, value.clone(), low)?;
        let second = self.operator(second, value, high)?;
        Ok(connect(alloc::vec![first, second], !negated))
    }

    /// `expr [NOT] IN (list)`.
    pub fn in_list(&mut self, expr: &Ast, list: &[Ast], negated: bool) -> SqlResult<Expr> {
        if let Some(members) = row_members(expr).filter(|m| m.len() > 1) {
            return self.row_in_list(&members, list, negated);
        }
        let left = self.expr(expr)?;
        let mut members = self.exprs(list)?;
        let types: Vec<_> = core::iter::once(&left)
            .chain(&members)
            .map(type_of)
            .collect();
        let plain = members.iter().all(|m| {
            !any(m, &mut |e| {
                matches!(e, Expr::Column { .. } | Expr::SubLink(_))
            }) && !crate::walk::is_volatile(m)
        });
        let name = if negated { "<>" } else { "=" };
        if members.len() > 1
            && plain
            && let Some(found) = self.in_array(&left, &mut members, &types, name, negated)?
        {
            return Ok(found);
        }
        let mut tests = Vec::new();
        for member in members {
            tests.push(self.operator(name, left.clone(), member)?);
        }
        Ok(connect(tests, negated))
    }

    /// The list as an array, where all can be brought to one type.
    fn in_array(
        &mut self,
        left: &Expr,
        members: &mut Vec<Expr>,
        types: &[pg_types::Oid],
        name: &str,
        negated: bool,
    ) -> SqlResult<Option<Expr>> {
        let Ok(common) = common_type(types, "IN") else {
            return Ok(None);
        };
        if pg_types::typeinfo::array_of(common).is_none() || common == oid::RECORD {
            return Ok(None);
        }
        let left = if types[0] == oid::UNKNOWN {
            self.implicit(left.clone(), common)?
        } else {
            left.clone()
        };
        let resolved = resolve_operator(name, type_of(&left), common)?;
        let [to_left, to_member] = resolved.arg_types.as_slice() else {
            return Ok(None);
        };
        let (to_left, to_member) = (*to_left, *to_member);
        let Ok(array) = self.array_type(to_member) else {
            return Ok(None);
        };
        let left = self.implicit(left, to_left)?;
        let elements = core::mem::take(members)
            .into_iter()
            .map(|m| self.implicit(m, to_member))
            .collect::<SqlResult<_>>()?;
        let array = fold_array(Expr::Array {
            elements,
            element: to_member,
            type_oid: array,
        });
        Ok(Some(Expr::Quantified {
            left: left.into(),
            array: array.into(),
            function: resolved.op.func,
            quantifier: if negated {
                Quantifier::All
            } else {
                Quantifier::Any
            },
        }))
    }

    fn row_in_list(&mut self, left: &[&Ast], list: &[Ast], negated: bool) -> SqlResult<Expr> {
        let mut tests = Vec::new();
        for member in list {
            let Some(right) = row_members(member) else {
                return Err(unequal_rows());
            };
            let left = self.exprs(left.iter().copied())?;
            let right = self.exprs(right.iter().copied())?;
            tests.push(self.compare_rows("=", left, right)?);
        }
        let found = connect(tests, false);
        Ok(if negated { negate(found) } else { found })
    }

    /// `left op ANY|ALL (right)`: a subquery or an array.
    pub fn quantified(
        &mut self,
        left: &Ast,
        op: &BinaryOperator,
        right: &Ast,
        some: bool,
    ) -> SqlResult<Expr> {
        let name = operator_name(op)?;
        let quantifier = if some {
            Quantifier::Any
        } else {
            Quantifier::All
        };
        let mut bare = right;
        while let Ast::Nested(inner) = bare {
            bare = inner;
        }
        if let Ast::Subquery(query) = bare {
            return self.quantified_subquery(left, &name, query, quantifier);
        }
        let value = self.expr(left)?;
        let array = self.expr(right)?;
        // An unknown array is one of the left side's type.
        let array = if type_of(&array) == oid::UNKNOWN {
            let element = if type_of(&value) == oid::UNKNOWN {
                oid::TEXT
            } else {
                type_of(&value)
            };
            let to = self.array_type(element)?;
            self.implicit(array, to)?
        } else {
            array
        };
        let Some(element) = element_of(type_of(&array)) else {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                "op ANY/ALL (array) requires array on right side",
            ));
        };
        let resolved = resolve_operator(&name, type_of(&value), element)?;
        if resolved.ret != oid::BOOL {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                "op ANY/ALL (array) requires operator to yield boolean",
            ));
        }
        let [to_left, to_member] = resolved.arg_types.as_slice() else {
            return Err(SqlError::internal("an operator without two operands"));
        };
        let value = self.implicit(value, *to_left)?;
        let array = if *to_member == element {
            array
        } else {
            let to = self.array_type(*to_member)?;
            self.implicit(array, to)?
        };
        Ok(Expr::Quantified {
            left: value.into(),
            array: array.into(),
            function: resolved.op.func,
            quantifier,
        })
    }

    /// LIKE and ILIKE.
    pub fn like(
        &mut self,
        name: &str,
        expr: &Ast,
        pattern: &Ast,
        escape: Option<&Ast>,
        negated: bool,
    ) -> SqlResult<Expr> {
        let value = self.expr(expr)?;
        let mut pattern = self.expr(pattern)?;
        if let Some(escape) = escape {
            let escape = self.expr(escape)?;
            pattern = self.function_call("like_escape", alloc::vec![pattern, escape])?;
        }
        let name = if negated {
            format!("!{name}")
        } else {
            name.into()
        };
        self.operator(&name, value, pattern)
    }

    /// SIMILAR TO.
    pub fn similar(
        &mut self,
        expr: &Ast,
        pattern: &Ast,
        escape: Option<&Ast>,
        negated: bool,
    ) -> SqlResult<Expr> {
        let value = self.expr(expr)?;
        let mut args = alloc::vec![self.expr(pattern)?];
        if let Some(escape) = escape {
            args.push(self.expr(escape)?);
        }
        let pattern = self.function_call("similar_to_escape", args)?;
        self.operator(if negated { "!~" } else { "~" }, value, pattern)
    }

    /// IS [NOT] DISTINCT FROM.
    pub fn is_distinct(&mut self, left: &Ast, right: &Ast, negated: bool) -> SqlResult<Expr> {
        if let Some((left, right)) = self.row_operands(left, right)? {
            let mut tests = Vec::new();
            for (l, r) in left.into_iter().zip(right) {
                tests.push(self.distinct_values(l, r, negated)?);
            }
            return Ok(connect(tests, negated));
        }
        let left = self.expr(left)?;
        let right = self.expr(right)?;
        self.distinct_values(left, right, negated)
    }

    fn distinct_values(&mut self, left: Expr, right: Expr, negated: bool) -> SqlResult<Expr> {
        let is_null = |e: &Expr| {
            matches!(
                e,
                Expr::Const {
                    value: Datum::Null,
                    ..
                }
            )
        };
        if is_null(&right) || is_null(&left) {
            let input = if is_null(&right) { left } else { right };
            let input = self.settle(input)?;
            return Ok(Expr::IsNull {
                input: input.into(),
                negated: !negated,
            });
        }
        let resolved = resolve_operator("=", type_of(&left), type_of(&right))?;
        let mut args = self.coerced(
            alloc::vec![left, right],
            &resolved.coercions,
            &resolved.arg_types,
        )?;
        let (Some(right), Some(left)) = (args.pop(), args.pop()) else {
            return Err(SqlError::internal("an operator without two operands"));
        };
        Ok(Expr::IsDistinct {
            left: left.into(),
            right: right.into(),
            equal: resolved.op.func,
            negated,
        })
    }

    /// Both sides as row constructors, if the left one is; their lengths agree.
    pub fn row_operands(
        &mut self,
        left: &Ast,
        right: &Ast,
    ) -> SqlResult<Option<(Vec<Expr>, Vec<Expr>)>> {
        let (Some(left), Some(right)) = (row_members(left), row_members(right)) else {
            return Ok(None);
        };
        if left.len() != right.len() {
            return Err(unequal_rows());
        }
        Ok(Some((self.exprs(left)?, self.exprs(right)?)))
    }

    /// Compares two rows of the same length.
    pub fn compare_rows(
        &mut self,
        name: &str,
        left: Vec<Expr>,
        right: Vec<Expr>,
    ) -> SqlResult<Expr> {
        if left.len() != right.len() {
            return Err(unequal_rows());
        }
        if left.is_empty() {
            return Err(error::syntax("cannot compare rows of zero length"));
        }
        let pairs = left.into_iter().zip(right);
        match name {
            "=" | "<>" => {
                let mut tests = Vec::new();
                for (l, r) in pairs {
                    tests.push(self.operator(name, l, r)?);
                }
                Ok(connect(tests, name == "="))
            }
            "<" | "<=" | ">" | ">=" => {
                // (a, b) < (c, d): a < c OR a = c AND b < d.
                let strict = &name[..1];
                let pairs: Vec<_> = pairs.collect();
                let last = pairs.len() - 1;
                let mut whole: Option<Expr> = None;
                for (at, (l, r)) in pairs.into_iter().enumerate().rev() {
                    let test = self.operator(
                        if at == last { name } else { strict },
                        l.clone(),
                        r.clone(),
                    )?;
                    whole = Some(match whole {
                        None => test,
                        Some(rest) => {
                            let equal = self.operator("=", l, r)?;
                            connect(
                                alloc::vec![test, connect(alloc::vec![equal, rest], true)],
                                false,
                            )
                        }
                    });
                }
                Ok(whole.unwrap_or_else(|| constant(Datum::Null, oid::BOOL)))
            }
            _ => Err(SqlError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("could not determine interpretation of row comparison operator {name}"),
            )),
        }
    }
}

fn unequal_rows() -> SqlError {
    error::syntax("unequal number of entries in row expressions")
}
