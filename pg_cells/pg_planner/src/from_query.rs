//! Subqueries in FROM, planned on their own or made part of the query around them.

use crate::analyzer::{Analyzer, fold};
use crate::error;
use crate::leaf::Tree;
use crate::scope::NameColumn;
use crate::select::Block;
use alloc::string::String;
use alloc::vec::Vec;
use pg_parser_port::ast::{self};
use pg_plan::{JoinKind, Plan};
use pg_types::{SqlError, SqlResult};

/// A subquery, planned or to be part of the query around it.
pub enum Resolved {
    /// Planned.
    Plan(Plan),
    /// To be part of the query around it.
    Block(alloc::boxed::Box<Block>),
}

impl Analyzer<'_> {
    /// `(SELECT ...) AS alias`.
    pub fn derived(
        &mut self,
        lateral: bool,
        query: &ast::Query,
        alias: Option<&ast::TableAlias>,
    ) -> SqlResult<Tree> {
        let Some(name) = alias.map(|a| fold(&a.name)) else {
            return Err(error::syntax("subquery in FROM must have an alias")
                .with_hint("For example, FROM (SELECT ...) [AS] foo."));
        };
        let nullable = core::mem::take(&mut self.nullable);
        let planned = self.nested(!lateral, !lateral, |a| {
            a.query_or_block(query, !lateral, nullable)
        });
        self.nullable = nullable;
        match planned? {
            (Resolved::Plan(plan), outer) => self.query_leaf(plan, outer, Some(name), alias),
            (Resolved::Block(block), _) => self.pulled_up(*block, name, alias),
        }
    }

    /// A query resolved: as a block where it can be part of the query around it.
    pub fn query_or_block(
        &mut self,
        query: &ast::Query,
        may: bool,
        nullable: bool,
    ) -> SqlResult<Resolved> {
        if let (Some(select), true) = (crate::semi::plain(query), may)
            && query.order_by.is_none()
        {
            let block = self.block(select, crate::query::Tail::default())?;
            if block.is_simple(nullable) {
                return Ok(Resolved::Block(block.into()));
            }
            return self.finish(block).map(Resolved::Plan);
        }
        self.query(query).map(Resolved::Plan)
    }

    /// A simple subquery as part of this query: its tables join here, its
    /// columns are names for expressions over them.
    pub fn pulled_up(
        &mut self,
        block: Block,
        name: String,
        alias: Option<&ast::TableAlias>,
    ) -> SqlResult<Tree> {
        let mut trees = block.trees.into_iter();
        let Some(first) = trees.next() else {
            return Err(SqlError::internal("a subquery without FROM was pulled up"));
        };
        let tree = trees.fold(first, |left, right| Tree::Join {
            kind: JoinKind::Inner,
            left: left.into(),
            right: right.into(),
            on: Vec::new(),
        });
        let columns = block
            .targets
            .into_iter()
            .map(|(name, value)| NameColumn { name, value })
            .collect();
        self.push_item(Some(name), None, columns, alias, None, None, false)?;
        Ok(if block.conditions.is_empty() {
            tree
        } else {
            Tree::Filter {
                tree: tree.into(),
                conditions: block.conditions,
            }
        })
    }
}
