//! Arrays: constructors, subscripts, and fields of rows.

use crate::analyzer::{Analyzer, fold};
use crate::coerce::constant;
use crate::walk::type_of;
use alloc::vec::Vec;
use pg_parser_port::ast::{self, Expr as Ast};
use pg_plan::Expr;
use pg_types::typeinfo::{array_of, element_of};
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState, format_type, oid};

/// An array of constants is a constant.
pub fn fold_array(expr: Expr) -> Expr {
    let Expr::Array {
        elements,
        element,
        type_oid,
    } = &expr
    else {
        return expr;
    };
    let items: Option<Vec<Datum>> = elements
        .iter()
        .map(|e| match e {
            Expr::Const { value, .. } if !matches!(value, Datum::Array(_)) => Some(value.clone()),
            _ => None,
        })
        .collect();
    match items {
        Some(items) => constant(Datum::array(*element, items), *type_oid),
        None => expr,
    }
}

impl Analyzer<'_> {
    /// `ARRAY[...]`, its elements brought to `element` if given.
    pub fn array(&mut self, elements: &[Ast], element: Option<Oid>) -> SqlResult<Expr> {
        let mut list = Vec::new();
        for ast in elements {
            list.push(match ast {
                Ast::Array(inner) => self.array(&inner.elem, element)?,
                other => self.expr(other)?,
            });
        }
        if let (true, None) = (list.is_empty(), element) {
            return Err(SqlError::new(
                SqlState::INDETERMINATE_DATATYPE,
                "cannot determine type of empty array",
            )
            .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[]."));
        }
        let nested = list
            .first()
            .is_some_and(|e| element_of(type_of(e)).is_some());
        let (list, member) = match element {
            Some(to) if !nested => {
                let list = list
                    .into_iter()
                    .map(|e| self.cast(e, to, -1))
                    .collect::<SqlResult<Vec<_>>>()?;
                (list, to)
            }
            _ => self.unify(list, "ARRAY")?,
        };
        let (element, type_oid) = match element_of(member) {
            Some(element) if nested => (element, member),
            _ => (member, self.array_type(member)?),
        };
        Ok(fold_array(Expr::Array {
            elements: list,
            element,
            type_oid,
        }))
    }

    /// The array type over an element type.
    pub fn array_type(&self, element: Oid) -> SqlResult<Oid> {
        array_of(element).ok_or_else(|| {
            SqlError::new(
                SqlState::UNDEFINED_OBJECT,
                alloc::format!(
                    "could not find array type for data type {}",
                    format_type(element, -1)
                ),
            )
        })
    }

    /// `root[1].field ...`.
    pub fn access(&mut self, root: &Ast, chain: &[ast::AccessExpr]) -> SqlResult<Expr> {
        let mut bare = root;
        while let Ast::Nested(inner) = bare {
            bare = inner;
        }
        let mut chain = chain;
        // (item).column and item.column[1], where the parser could not tell.
        let mut value = match (bare, chain) {
            (Ast::Identifier(item), [ast::AccessExpr::Dot(Ast::Identifier(column)), rest @ ..]) => {
                chain = rest;
                self.resolve_qualified(None, &fold(item), &fold(column))?
            }
            _ => self.expr(root)?,
        };
        while let [first, rest @ ..] = chain {
            chain = rest;
            value = match first {
                ast::AccessExpr::Subscript(ast::Subscript::Index { index }) => {
                    let mut subscripts = alloc::vec![self.subscript(index)?];
                    while let [
                        ast::AccessExpr::Subscript(ast::Subscript::Index { index }),
                        rest @ ..,
                    ] = chain
                    {
                        chain = rest;
                        subscripts.push(self.subscript(index)?);
                    }
                    self.subscripted(value, subscripts)?
                }
                ast::AccessExpr::Subscript(ast::Subscript::Slice { .. }) => {
                    return Err(SqlError::unsupported("an array slice"));
                }
                ast::AccessExpr::Dot(_) => {
                    return Err(SqlError::unsupported("a field of a composite value"));
                }
            };
        }
        Ok(value)
    }

    /// One subscript.
    pub fn subscript(&mut self, index: &Ast) -> SqlResult<Expr> {
        let index = self.expr(index)?;
        self.implicit(index, oid::INT4).map_err(|_| {
            SqlError::new(
                SqlState::DATATYPE_MISMATCH,
                "array subscript must have type integer",
            )
        })
    }

    /// `array[subscripts]` over typed parts.
    pub fn subscripted(&mut self, array: Expr, subscripts: Vec<Expr>) -> SqlResult<Expr> {
        let of = type_of(&array);
        let element = match of {
            oid::NAME => Some(oid::CHAR),
            of => element_of(of),
        };
        let Some(element) = element else {
            return Err(SqlError::new(
                SqlState::DATATYPE_MISMATCH,
                alloc::format!(
                    "cannot subscript type {} because it does not support subscripting",
                    format_type(of, -1)
                ),
            ));
        };
        Ok(Expr::Subscript {
            array: array.into(),
            subscripts,
            type_oid: element,
        })
    }
}
