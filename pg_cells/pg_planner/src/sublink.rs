//! Subqueries in expressions: scalar, EXISTS, IN, ANY and ALL, ARRAY.

use crate::analyzer::Analyzer;
use crate::build::stripped;
use crate::compare::row_members;
use crate::error;
use crate::walk::type_of;
use alloc::vec::Vec;
use pg_builtins::resolve_operator;
use pg_parser_port::ast::{self, Expr as Ast};
use pg_plan::{Expr, Plan, Quantifier, SubLink, SubLinkKind};
use pg_types::{SqlResult, oid};

impl Analyzer<'_> {
    /// Plans a query in a frame of its own; gives the values it is handed.
    fn subplan(&mut self, query: &ast::Query) -> SqlResult<(Plan, Vec<Expr>)> {
        let (plan, outer) = self.nested(false, false, |a| a.query(query))?;
        Ok((stripped(plan), outer))
    }

    /// `(SELECT ...)` and `ARRAY(SELECT ...)`.
    pub fn scalar_subquery(&mut self, query: &ast::Query, kind: SubLinkKind) -> SqlResult<Expr> {
        let (plan, outer) = self.subplan(query)?;
        if plan.columns.len() != 1 {
            return Err(error::syntax("subquery must return only one column"));
        }
        let column = plan.columns[0].type_oid;
        let type_oid = match kind {
            SubLinkKind::Array => match pg_types::typeinfo::element_of(column) {
                Some(_) => column,
                None => self.array_type(column)?,
            },
            _ => column,
        };
        Ok(Expr::SubLink(
            SubLink {
                kind,
                plan,
                outer,
                type_oid,
            }
            .into(),
        ))
    }

    /// `[NOT] EXISTS (SELECT ...)`.
    pub fn exists(&mut self, query: &ast::Query, negated: bool) -> SqlResult<Expr> {
        let (plan, outer) = self.subplan(query)?;
        let link = Expr::SubLink(
            SubLink {
                kind: SubLinkKind::Exists,
                plan,
                outer,
                type_oid: oid::BOOL,
            }
            .into(),
        );
        Ok(if negated {
            Expr::Not(link.into())
        } else {
            link
        })
    }

    /// `expr [NOT] IN (SELECT ...)`.
    pub fn in_subquery(
        &mut self,
        expr: &Ast,
        query: &ast::Query,
        negated: bool,
    ) -> SqlResult<Expr> {
        let (name, quantifier) = if negated {
            ("<>", Quantifier::All)
        } else {
            ("=", Quantifier::Any)
        };
        self.quantified_subquery(expr, name, query, quantifier)
    }

    /// `expr op ANY|ALL (SELECT ...)`.
    pub fn quantified_subquery(
        &mut self,
        expr: &Ast,
        name: &str,
        query: &ast::Query,
        quantifier: Quantifier,
    ) -> SqlResult<Expr> {
        let left = match row_members(expr) {
            Some(members) => self.exprs(members)?,
            None => alloc::vec![self.expr(expr)?],
        };
        let (plan, outer) = self.subplan(query)?;
        if plan.columns.len() < left.len() {
            return Err(error::syntax("subquery has too few columns"));
        }
        if plan.columns.len() > left.len() {
            return Err(error::syntax("subquery has too many columns"));
        }
        let mut lefts = Vec::new();
        let mut functions = Vec::new();
        let mut wanted = Vec::new();
        // Row-wise inequality is the negation of row-wise equality.
        let several = left.len() > 1;
        let (name, quantifier, invert) = match (several, name, quantifier) {
            (true, "<>", Quantifier::All) => ("=", Quantifier::Any, true),
            (true, "=", _) | (false, ..) => (name, quantifier, false),
            _ => {
                return Err(pg_types::SqlError::unsupported(
                    "this row comparison with a subquery",
                ));
            }
        };
        for (value, column) in left.into_iter().zip(&plan.columns) {
            let resolved = resolve_operator(name, type_of(&value), column.type_oid)?;
            let to = resolved.arg_types.clone();
            lefts.push(self.implicit(value, to[0])?);
            wanted.push(to[1]);
            functions.push(resolved.op.func);
        }
        let plan = self.coerce_columns(plan, &wanted)?;
        let kind = SubLinkKind::Quantified {
            left: lefts,
            functions,
            quantifier,
        };
        let link = Expr::SubLink(
            SubLink {
                kind,
                plan,
                outer,
                type_oid: oid::BOOL,
            }
            .into(),
        );
        Ok(if invert { Expr::Not(link.into()) } else { link })
    }

    /// A plan whose columns have these types.
    pub fn coerce_columns(&mut self, plan: Plan, types: &[pg_types::Oid]) -> SqlResult<Plan> {
        if plan
            .columns
            .iter()
            .zip(types)
            .all(|(c, t)| c.type_oid == *t)
        {
            return Ok(plan);
        }
        let mut columns = plan.columns.clone();
        let mut exprs = Vec::new();
        for (index, (column, to)) in columns.iter_mut().zip(types).enumerate() {
            let value = Expr::Column {
                index,
                type_oid: column.type_oid,
            };
            exprs.push(if column.type_oid == *to {
                value
            } else {
                self.place_coerce(value, *to)?
            });
            if column.type_oid != *to {
                column.type_oid = *to;
                column.typmod = -1;
            }
        }
        Ok(crate::build::project(plan, exprs, columns))
    }

    /// Coerces a value that refers to places, not variables.
    fn place_coerce(&mut self, value: Expr, to: pg_types::Oid) -> SqlResult<Expr> {
        let from = type_of(&value);
        match pg_builtins::coerce(from, to, pg_builtins::CastContext::Implicit) {
            Some(coercion) => self.apply(value, coercion, to),
            None => Err(error::no_cast(from, to)),
        }
    }
}
