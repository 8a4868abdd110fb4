//! FROM: tables, views, subqueries, functions and joins, to leaves and trees,
//! with the names they bring into sight.

use crate::analyzer::{Analyzer, Clause, Var, VarInfo, fold, qualified};
use crate::error;
use crate::from_query::Resolved;
use crate::leaf::{Leaf, LeafKind, Tree};
use crate::scope::{NameColumn, NameItem};
use crate::walk::conjuncts;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::ast::{self, JoinConstraint, JoinOperator, TableFactor};
use pg_plan::{Expr, JoinKind, Node, OutputColumn, Plan, Relation, RelationKind};
use pg_types::{SqlError, SqlResult, SqlState, oid};

impl Analyzer<'_> {
    /// The FROM list.
    pub fn from(&mut self, list: &[ast::TableWithJoins]) -> SqlResult<Vec<Tree>> {
        list.iter()
            .map(|item| self.table_with_joins(item))
            .collect()
    }

    /// A FROM item with its joins.
    pub fn table_with_joins(&mut self, item: &ast::TableWithJoins) -> SqlResult<Tree> {
        let start = self.level().names.items.len();
        // Items whose rows a join may replace by NULLs keep computed columns in
        // a subquery of their own.
        let gives_nulls = |operator: &JoinOperator| {
            matches!(
                operator,
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_)
            )
        };
        let takes_nulls = |operator: &JoinOperator| {
            matches!(
                operator,
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::FullOuter(_)
            )
        };
        let outer = core::mem::take(&mut self.nullable);
        let later = |at: usize| {
            item.joins[at..]
                .iter()
                .any(|join| gives_nulls(&join.join_operator))
        };
        self.nullable = outer || later(0);
        let mut tree = self.factor(&item.relation)?;
        for (at, join) in item.joins.iter().enumerate() {
            let middle = self.level().names.items.len();
            self.nullable = outer || takes_nulls(&join.join_operator) || later(at + 1);
            let right = self.factor(&join.relation)?;
            tree = self.join(tree, right, &join.join_operator, start, middle)?;
        }
        self.nullable = outer;
        Ok(tree)
    }

    fn join(
        &mut self,
        left: Tree,
        right: Tree,
        operator: &JoinOperator,
        start: usize,
        middle: usize,
    ) -> SqlResult<Tree> {
        let (kind, constraint, swap) = match operator {
            JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::CrossJoin(c) => {
                (JoinKind::Inner, c, false)
            }
            JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (JoinKind::Left, c, false),
            JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (JoinKind::Left, c, true),
            JoinOperator::FullOuter(c) => (JoinKind::Full, c, false),
            _ => return Err(SqlError::unsupported("this kind of join")),
        };
        let mut on = Vec::new();
        match constraint {
            JoinConstraint::On(condition) => {
                let items = &mut self.level().names.items;
                let tail = items.split_off(start);
                let before = core::mem::replace(items, tail);
                let condition = self.within(Clause::JoinOn, |a| a.expr(condition));
                let items = &mut self.level().names.items;
                let tail = core::mem::replace(items, before);
                items.extend(tail);
                let condition = self.boolean(condition?, "JOIN/ON")?;
                conjuncts(condition, &mut on);
            }
            JoinConstraint::Using(names) => {
                let names = names
                    .iter()
                    .map(|name| qualified(name).map(|(_, name)| name))
                    .collect::<SqlResult<Vec<_>>>()?;
                self.merge(&names, kind, swap, start, middle, &mut on)?;
            }
            JoinConstraint::Natural => {
                let left: Vec<String> = self
                    .visible(start, middle)
                    .into_iter()
                    .map(|c| c.name)
                    .collect();
                let end = self.level().names.items.len();
                let right = self.visible(middle, end);
                let names: Vec<String> = left
                    .into_iter()
                    .filter(|name| right.iter().any(|c| c.name == *name))
                    .collect();
                self.merge(&names, kind, swap, start, middle, &mut on)?;
            }
            JoinConstraint::None => {}
        }
        let (left, right) = if swap { (right, left) } else { (left, right) };
        Ok(Tree::Join {
            kind,
            left: left.into(),
            right: right.into(),
            on,
        })
    }

    fn factor(&mut self, factor: &TableFactor) -> SqlResult<Tree> {
        match factor {
            TableFactor::Table {
                sample: Some(_), ..
            } => Err(SqlError::unsupported("TABLESAMPLE")),
            TableFactor::Table {
                name,
                alias,
                args: Some(args),
                with_ordinality,
                ..
            } => self.function_item(name, &args.args, *with_ordinality, alias.as_ref()),
            TableFactor::Function {
                name,
                args,
                with_ordinality,
                alias,
                ..
            } => self.function_item(name, args, *with_ordinality, alias.as_ref()),
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_ordinality,
                ..
            } => {
                let args: Vec<ast::FunctionArg> = array_exprs
                    .iter()
                    .map(|e| ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(e.clone())))
                    .collect();
                let name = ast::ObjectName::from(alloc::vec![ast::Ident::new("unnest")]);
                self.function_item(&name, &args, *with_ordinality, alias.as_ref())
            }
            TableFactor::Table { name, alias, .. } => self.table_item(name, alias.as_ref()),
            TableFactor::Derived {
                lateral,
                subquery,
                alias,
                ..
            } => self.derived(*lateral, subquery, alias.as_ref()),
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                let start = self.level().names.items.len();
                let tree = self.table_with_joins(table_with_joins)?;
                if let Some(alias) = alias {
                    let end = self.level().names.items.len();
                    let columns = self.visible(start, end);
                    for item in &mut self.level().names.items[start..] {
                        item.columns_visible = false;
                        item.name_visible = false;
                    }
                    self.push_item(
                        Some(fold(&alias.name)),
                        None,
                        columns,
                        Some(alias),
                        None,
                        None,
                        false,
                    )?;
                }
                Ok(tree)
            }
            _ => Err(SqlError::unsupported("this kind of FROM item")),
        }
    }

    fn table_item(
        &mut self,
        name: &ast::ObjectName,
        alias: Option<&ast::TableAlias>,
    ) -> SqlResult<Tree> {
        let (schema, name) = qualified(name)?;
        if schema.is_none()
            && let Some(cte) = self.find_cte(&name)
        {
            let node = Node::CteScan { id: cte.id };
            let mut plan = Self::bare(node, cte.columns.clone(), cte.rows);
            plan.total_cost = cte.rows * 0.01;
            return self.query_leaf(plan, Vec::new(), Some(name), alias);
        }
        let relation = self.require(schema.as_deref(), &name)?;
        match relation.kind {
            RelationKind::Table => self.table_leaf(relation, alias, false),
            RelationKind::View => {
                let shown = alias.map_or_else(|| relation.name.clone(), |a| fold(&a.name));
                match self.view(&relation)? {
                    Resolved::Plan(plan) => self.query_leaf(plan, Vec::new(), Some(shown), alias),
                    Resolved::Block(block) => self.pulled_up(*block, shown, alias),
                }
            }
            RelationKind::Virtual | RelationKind::Sequence => {
                let vars = self.relation_vars(&relation, alias);
                let columns = self.live_columns(&relation, &vars);
                let kind = LeafKind::Virtual {
                    relation: relation.clone(),
                };
                self.leaf(
                    kind,
                    relation.name.clone(),
                    Some(relation.schema.clone()),
                    vars,
                    columns,
                    alias,
                    Some((relation, None)),
                )
            }
        }
    }

    /// A table; `target`: all of it, for an update or delete.
    pub fn table_leaf(
        &mut self,
        relation: Arc<Relation>,
        alias: Option<&ast::TableAlias>,
        target: bool,
    ) -> SqlResult<Tree> {
        let vars = self.relation_vars(&relation, alias);
        let row_id = self.new_var(VarInfo {
            name: "ctid".into(),
            type_oid: oid::TID,
            typmod: -1,
            table: relation.oid,
            attribute: 0,
            item: alias.map_or_else(|| relation.name.clone(), |a| fold(&a.name)),
            leaf: Some(self.leaves.len()),
        });
        let columns = self.live_columns(&relation, &vars);
        let kind = LeafKind::Table {
            relation: relation.clone(),
            row_id,
            target,
        };
        let (name, schema) = (relation.name.clone(), relation.schema.clone());
        self.leaf(
            kind,
            name,
            Some(schema),
            vars,
            columns,
            alias,
            Some((relation, Some(row_id))),
        )
    }

    /// A variable for each column of a relation, dropped ones included.
    fn relation_vars(
        &mut self,
        relation: &Arc<Relation>,
        alias: Option<&ast::TableAlias>,
    ) -> Vec<Var> {
        let item = alias.map_or_else(|| relation.name.clone(), |a| fold(&a.name));
        let leaf = self.leaves.len();
        let infos: Vec<VarInfo> = relation
            .desc
            .attrs()
            .iter()
            .enumerate()
            .map(|(at, attr)| VarInfo {
                name: attr.name.as_str().into(),
                type_oid: attr.type_oid,
                typmod: attr.typmod,
                table: relation.oid,
                attribute: at as i16 + 1,
                item: item.clone(),
                leaf: Some(leaf),
            })
            .collect();
        infos.into_iter().map(|info| self.new_var(info)).collect()
    }

    fn live_columns(&self, relation: &Relation, vars: &[Var]) -> Vec<NameColumn> {
        relation
            .desc
            .attrs()
            .iter()
            .zip(vars)
            .filter(|(attr, _)| !attr.dropped)
            .map(|(attr, var)| NameColumn {
                name: attr.name.as_str().into(),
                value: self.var(*var),
            })
            .collect()
    }

    /// A planned query as a leaf.
    pub fn query_leaf(
        &mut self,
        plan: Plan,
        outer: Vec<Expr>,
        name: Option<String>,
        alias: Option<&ast::TableAlias>,
    ) -> SqlResult<Tree> {
        let item = alias.map_or_else(|| name.clone().unwrap_or_default(), |a| fold(&a.name));
        let (vars, columns) = self.column_vars(&plan.columns, &item);
        self.leaf(
            LeafKind::Query { plan, outer },
            item,
            None,
            vars,
            columns,
            alias,
            None,
        )
    }

    /// A variable and a name for each column.
    pub fn column_vars(
        &mut self,
        columns: &[OutputColumn],
        item: &str,
    ) -> (Vec<Var>, Vec<NameColumn>) {
        let leaf = self.leaves.len();
        let vars: Vec<Var> = columns
            .iter()
            .map(|column| {
                self.new_var(VarInfo {
                    name: column.name.clone(),
                    type_oid: column.type_oid,
                    typmod: column.typmod,
                    table: column.table,
                    attribute: column.attribute,
                    item: item.into(),
                    leaf: Some(leaf),
                })
            })
            .collect();
        let names = columns
            .iter()
            .zip(&vars)
            .map(|(column, var)| NameColumn {
                name: column.name.clone(),
                value: self.var(*var),
            })
            .collect();
        (vars, names)
    }

    #[allow(clippy::too_many_arguments)] // The parts of one leaf, all from different places.
    fn leaf(
        &mut self,
        kind: LeafKind,
        name: String,
        schema: Option<String>,
        vars: Vec<Var>,
        columns: Vec<NameColumn>,
        alias: Option<&ast::TableAlias>,
        table: Option<(Arc<Relation>, Option<Var>)>,
    ) -> SqlResult<Tree> {
        let shown = alias.map_or_else(|| name.clone(), |a| fold(&a.name));
        let schema = if alias.is_some() { None } else { schema };
        self.leaves.push(Leaf { kind, vars });
        let leaf = self.leaves.len() - 1;
        let (relation, row_id) = table.map_or((None, None), |(r, v)| (Some(r), v));
        self.push_item(Some(shown), schema, columns, alias, relation, row_id, false)?;
        Ok(Tree::Leaf(leaf))
    }

    /// Brings a FROM item into sight.
    #[allow(clippy::too_many_arguments)] // The parts of one name, all from different places.
    pub fn push_item(
        &mut self,
        name: Option<String>,
        schema: Option<String>,
        mut columns: Vec<NameColumn>,
        alias: Option<&ast::TableAlias>,
        relation: Option<Arc<Relation>>,
        row_id: Option<Var>,
        scalar: bool,
    ) -> SqlResult<()> {
        if let Some(alias) = alias {
            if alias.columns.iter().any(|c| c.data_type.is_some()) {
                return Err(SqlError::unsupported("a column definition list"));
            }
            if alias.columns.len() > columns.len() {
                return Err(error::bad_reference(format!(
                    "table \"{}\" has {} columns available but {} columns specified",
                    fold(&alias.name),
                    columns.len(),
                    alias.columns.len()
                )));
            }
            for (column, new) in columns.iter_mut().zip(&alias.columns) {
                column.name = fold(&new.name);
            }
        }
        let clash = self.level().names.items.iter().any(|item| {
            item.name_visible
                && item.alias == name
                && (item.schema == schema || item.schema.is_none() || schema.is_none())
        });
        if clash {
            return Err(SqlError::new(
                SqlState::DUPLICATE_ALIAS,
                format!(
                    "table name \"{}\" specified more than once",
                    name.unwrap_or_default()
                ),
            ));
        }
        self.level().names.items.push(NameItem {
            alias: name,
            schema,
            columns,
            columns_visible: true,
            name_visible: true,
            relation,
            row_id,
            scalar,
        });
        Ok(())
    }
}
