//! Functions in FROM.

use crate::analyzer::{Analyzer, Clause, fold, qualified};
use crate::leaf::{Leaf, LeafKind, Tree};
use crate::walk::type_of;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_parser_port::ast::{self};
use pg_plan::{Expr, FrameBound, Node, OutputColumn, WindowCall, WindowFrame};
use pg_types::{Oid, SqlError, SqlResult, oid};

/// An output column of a function.
pub fn column(name: &str, type_oid: Oid) -> OutputColumn {
    OutputColumn {
        name: name.into(),
        type_oid,
        typmod: -1,
        table: 0,
        attribute: 0,
    }
}

impl Analyzer<'_> {
    /// A function as a FROM item.
    pub fn function_item(
        &mut self,
        name: &ast::ObjectName,
        args: &[ast::FunctionArg],
        ordinality: bool,
        alias: Option<&ast::TableAlias>,
    ) -> SqlResult<Tree> {
        let (schema, name) = qualified(name)?;
        let list = ast::FunctionArgumentList {
            duplicate_treatment: None,
            args: args.to_vec(),
            clauses: Vec::new(),
        };
        let asts = self.call_args(&list)?;
        let args = self.within(Clause::FromFunction, |a| a.exprs(asts))?;
        let types: Vec<Oid> = args.iter().map(type_of).collect();
        if schema.as_deref().is_some_and(|s| s != "pg_catalog") {
            return Err(Self::no_function(
                &format!("{}.{name}", schema.unwrap_or_default()),
                &types,
            ));
        }
        if name == "unnest" && args.len() > 1 {
            return self.unnest_several(args, ordinality, alias);
        }
        let resolved = pg_builtins::resolve_function(&name, &types)?;
        if !resolved.func.returns_set() {
            return self.scalar_item(&name, args, ordinality, alias);
        }
        let args = self.coerced(args, &resolved.coercions, &resolved.arg_types)?;
        let shown = alias.map_or_else(|| name.clone(), |a| fold(&a.name));
        let single = resolved.func.columns.is_empty();
        let mut columns: Vec<OutputColumn> = if single {
            alloc::vec![column(&shown, resolved.ret)]
        } else {
            resolved
                .func
                .columns
                .iter()
                .map(|(name, type_oid)| column(name, *type_oid))
                .collect()
        };
        let types = columns.iter().map(|c| c.type_oid).collect();
        if ordinality {
            columns.push(column("ordinality", oid::INT8));
        }
        let (vars, names) = self.column_vars(&columns, &shown);
        let kind = LeafKind::Function {
            function: resolved.func.oid,
            args,
            ordinality,
            types,
        };
        self.leaves.push(Leaf { kind, vars });
        let leaf = self.leaves.len() - 1;
        self.push_item(
            Some(shown),
            None,
            names,
            alias,
            None,
            None,
            single && !ordinality,
        )?;
        Ok(Tree::Leaf(leaf))
    }

    /// `unnest(a, b ...)`: the arrays side by side, the shorter ones filled up
    /// with NULLs.
    fn unnest_several(
        &mut self,
        args: Vec<Expr>,
        ordinality: bool,
        alias: Option<&ast::TableAlias>,
    ) -> SqlResult<Tree> {
        let shown = alias.map_or_else(|| String::from("unnest"), |a| fold(&a.name));
        let mut calls = Vec::new();
        let mut columns = Vec::new();
        for arg in args {
            let resolved = pg_builtins::resolve_function("unnest", &[type_of(&arg)])?;
            let args = self.coerced(alloc::vec![arg], &resolved.coercions, &resolved.arg_types)?;
            columns.push(column("unnest", resolved.ret));
            calls.push(Expr::Call {
                function: resolved.func.oid,
                args,
                type_oid: resolved.ret,
            });
        }
        let (calls, outer) = handed_in(calls);
        let sets = (0..calls.len()).collect();
        let input = Self::bare(Node::Nothing { filter: None }, Vec::new(), 1.0);
        let node = Node::ProjectSet {
            input,
            exprs: calls,
            sets,
        };
        let mut plan = Self::bare(node, columns.clone(), 10.0);
        if ordinality {
            let number = pg_builtins::resolve_function("row_number", &[])?;
            let frame = WindowFrame {
                rows: false,
                groups: false,
                start: FrameBound::UnboundedPreceding,
                end: FrameBound::CurrentRow,
            };
            let call = WindowCall {
                function: number.func.oid,
                args: Vec::new(),
                filter: None,
                frame,
                type_oid: oid::INT8,
            };
            columns.push(column("ordinality", oid::INT8));
            let node = Node::Window {
                input: plan,
                calls: alloc::vec![call],
                partition: Vec::new(),
                order: Vec::new(),
            };
            plan = Self::bare(node, columns, 10.0);
        }
        self.query_leaf(plan, outer, Some(shown), alias)
    }

    /// A function of one row in FROM: a query without FROM.
    pub fn scalar_item(
        &mut self,
        name: &str,
        args: Vec<Expr>,
        ordinality: bool,
        alias: Option<&ast::TableAlias>,
    ) -> SqlResult<Tree> {
        if ordinality {
            return Err(SqlError::unsupported(
                "WITH ORDINALITY on a function of one row",
            ));
        }
        let value = self.within(Clause::FromFunction, |a| a.function_call(name, args))?;
        let value = self.settle(value)?;
        let shown = alias.map_or_else(|| String::from(name), |a| fold(&a.name));
        let columns = alloc::vec![column(&shown, type_of(&value))];
        let (values, outer) = handed_in(alloc::vec![value]);
        let input = Self::bare(Node::Nothing { filter: None }, Vec::new(), 1.0);
        let plan = crate::build::project(input, values, columns);
        self.query_leaf(plan, outer, Some(shown), alias)?;
        if let Some(item) = self.level().names.items.last_mut() {
            item.scalar = true;
        }
        Ok(Tree::Leaf(self.leaves.len() - 1))
    }
}

/// Values that a query without FROM computes, and what they take from their
/// neighbours: handed in as to a lateral query.
fn handed_in(values: Vec<Expr>) -> (Vec<Expr>, Vec<Expr>) {
    let mut outer: Vec<Expr> = Vec::new();
    if !values.iter().any(crate::select::uses_vars) {
        return (values, outer);
    }
    let values = values
        .into_iter()
        .map(|value| {
            crate::walk::map(value, &mut |e| match e {
                Expr::Column { .. } | Expr::Outer { .. } => {
                    let index = outer
                        .iter()
                        .position(|o| crate::walk::same(o, e))
                        .unwrap_or(outer.len());
                    if index == outer.len() {
                        outer.push(e.clone());
                    }
                    Some(Expr::Outer {
                        index,
                        type_oid: type_of(e),
                    })
                }
                _ => None,
            })
        })
        .collect();
    (values, outer)
}
