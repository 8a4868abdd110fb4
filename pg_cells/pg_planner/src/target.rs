//! The table that a statement changes: its columns by name, defaults, checks,
//! and expressions over its rows.

use crate::analyzer::{Analyzer, Clause, Level, Var, VarInfo, parts};
use crate::coerce::null;
use crate::error;
use crate::path::bind;
use crate::scope::{NameColumn, NameItem};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::{PARSER, ast};
use pg_plan::{Expr, IndexExprs, OutputColumn, Relation, RelationKind};
use pg_types::{SqlError, SqlResult, SqlState};

/// Parses the text of a stored expression.
pub fn parse_expr(text: &str) -> SqlResult<ast::Expr> {
    PARSER
        .enter()
        .map_err(|e| SqlError::new(SqlState::CANNOT_CONNECT_NOW, format!("{e}")))?
        .parse_expr(text)
}

/// What is done to the table.
#[derive(Clone, Copy)]
pub enum Change {
    /// INSERT, COPY FROM.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
}

impl Analyzer<'_> {
    /// The table of an INSERT, UPDATE, DELETE or COPY FROM.
    pub fn changed_table(
        &mut self,
        schema: Option<&str>,
        name: &str,
        change: Change,
    ) -> SqlResult<Arc<Relation>> {
        let relation = self.require(schema, name)?;
        let (verb, way) = match change {
            Change::Insert => ("insert into", "INSERT"),
            Change::Update => ("update", "UPDATE"),
            Change::Delete => ("delete from", "DELETE"),
        };
        match relation.kind {
            RelationKind::Table => Ok(relation),
            RelationKind::View | RelationKind::Virtual => Err(SqlError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("cannot {verb} view \"{name}\""),
            )
            .with_detail(format!("Views that take {way} are not supported."))),
            RelationKind::Sequence => Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot change sequence \"{name}\""),
            )),
        }
    }

    /// The place of a column of the changed table.
    pub fn column_place(&self, relation: &Relation, name: &str) -> SqlResult<usize> {
        relation
            .desc
            .find(name)
            .ok_or_else(|| error::no_column_in(&relation.name, name))
    }

    /// The place of a column named in SET or an insert's list.
    pub fn target_column(&self, relation: &Relation, name: &ast::ObjectName) -> SqlResult<usize> {
        let parts = parts(name)?;
        match parts.as_slice() {
            [name] => self.column_place(relation, name),
            [first, ..] => Err(error::no_column_in(&relation.name, first)),
            [] => Err(SqlError::internal("a column without a name")),
        }
    }

    /// A variable for each column of the table, in descriptor order.
    pub fn row_vars(&mut self, relation: &Relation, item: &str) -> Vec<Var> {
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
                item: item.into(),
                leaf: None,
            })
            .collect();
        infos.into_iter().map(|info| self.new_var(info)).collect()
    }

    /// A row of the table in sight under a name.
    pub fn row_item(
        &self,
        relation: &Arc<Relation>,
        name: &str,
        vars: &[Var],
        unqualified: bool,
    ) -> NameItem {
        let columns = relation
            .desc
            .attrs()
            .iter()
            .zip(vars)
            .filter(|(attr, _)| !attr.dropped)
            .map(|(attr, var)| NameColumn {
                name: attr.name.as_str().into(),
                value: self.var(*var),
            })
            .collect();
        NameItem {
            alias: Some(name.into()),
            schema: None,
            columns,
            columns_visible: unqualified,
            name_visible: true,
            relation: Some(relation.clone()),
            row_id: None,
            scalar: false,
        }
    }

    /// Analyzes with nothing in sight but one row of a table; the result is over
    /// the row in descriptor order.
    pub fn over_row(
        &mut self,
        relation: &Arc<Relation>,
        clause: Clause,
        f: impl FnOnce(&mut Self) -> SqlResult<Expr>,
    ) -> SqlResult<Expr> {
        let levels = core::mem::replace(&mut self.levels, alloc::vec![Level::new(false, false)]);
        let vars = self.row_vars(relation, &relation.name);
        let item = self.row_item(relation, &relation.name, &vars, true);
        self.level().names.items.push(item);
        self.level().clause = clause;
        let result = f(self);
        self.levels = levels;
        bind(result?, &vars)
    }

    /// A stored expression's text over a table's row.
    pub fn row_text(
        &mut self,
        relation: &Arc<Relation>,
        text: &str,
        clause: Clause,
    ) -> SqlResult<Expr> {
        let ast = parse_expr(text)?;
        self.over_row(relation, clause, |a| {
            let value = a.expr(&ast)?;
            a.settle(value)
        })
    }

    /// The text under which a condition or computed key of a table is kept: as
    /// PostgreSQL writes the typed expression, unless that text would mean
    /// something else.
    pub fn canonical(&mut self, relation: &Arc<Relation>, written: String, expr: &Expr) -> String {
        let attrs = relation.desc.attrs().iter();
        let columns: Vec<String> = attrs
            .map(|a| pg_builtins::quote_identifier(&a.name))
            .collect();
        let names = crate::deparse::Names {
            columns: &columns,
            qualify: true,
        };
        // IN's list was folded into one constant.
        let spread = crate::walk::map(expr.clone(), &mut |e| match e {
            Expr::Const {
                value: pg_types::Datum::Array(array),
                type_oid,
            } if !array.items.is_empty() => {
                let element = pg_types::typeinfo::element_of(*type_oid)?;
                let item =
                    |value: &pg_types::Datum| crate::coerce::constant(value.clone(), element);
                Some(Expr::Array {
                    elements: array.items.iter().map(item).collect(),
                    element,
                    type_oid: *type_oid,
                })
            }
            _ => None,
        });
        let text = crate::deparse::text(&spread, &names);
        match self.row_text(relation, &text, Clause::Check) {
            Ok(again) if crate::walk::same(&again, expr) => text,
            _ => written,
        }
    }

    /// The default of a column, of the column's type.
    pub fn default_value(&mut self, relation: &Arc<Relation>, at: usize) -> SqlResult<Expr> {
        let attr = &relation.desc.attrs()[at];
        let (name, type_oid, typmod) = (attr.name.as_str().to_string(), attr.type_oid, attr.typmod);
        let Some(column) = relation.columns.get(at) else {
            return Ok(null(type_oid));
        };
        if let (Some(_), Some(sequence)) = (column.identity, column.sequence) {
            return Ok(Expr::NextValue { sequence, type_oid });
        }
        match &column.default {
            Some(text) => {
                let ast = parse_expr(text)?;
                self.lone_value(&ast, &name, type_oid, typmod, Clause::Default)
            }
            None => Ok(null(type_oid)),
        }
    }

    /// A value without columns, assigned to a column.
    pub fn lone_value(
        &mut self,
        ast: &ast::Expr,
        name: &str,
        type_oid: pg_types::Oid,
        typmod: i32,
        clause: Clause,
    ) -> SqlResult<Expr> {
        let levels = core::mem::replace(&mut self.levels, alloc::vec![Level::new(false, false)]);
        self.level().clause = clause;
        let result = self
            .expr(ast)
            .and_then(|value| self.assign(value, name, type_oid, typmod));
        self.levels = levels;
        result.map_err(|error| match error.code() {
            SqlState::UNDEFINED_COLUMN if clause == Clause::Default => SqlError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot use column reference in DEFAULT expression",
            ),
            _ => error,
        })
    }

    /// The table's CHECK conditions over the stored row.
    pub fn checks(&mut self, relation: &Arc<Relation>) -> SqlResult<Vec<(String, Expr)>> {
        let mut out = Vec::new();
        for check in &relation.checks {
            let condition = self.row_text(relation, &check.expression, Clause::Check)?;
            out.push((check.name.clone(), self.boolean(condition, "CHECK")?));
        }
        Ok(out)
    }

    /// Computed keys and conditions of the table's indexes, for those that have
    /// any.
    pub fn index_exprs(&mut self, relation: &Arc<Relation>) -> SqlResult<Vec<IndexExprs>> {
        let mut out = Vec::new();
        for index in &relation.indexes {
            if index.predicate.is_none() && index.keys.iter().all(|key| key.expression.is_none()) {
                continue;
            }
            let mut keys = Vec::new();
            for key in &index.keys {
                keys.push(match &key.expression {
                    Some(text) => Some(self.row_text(relation, text, Clause::Index)?),
                    None => None,
                });
            }
            let predicate = match &index.predicate {
                Some(text) => Some(self.row_text(relation, text, Clause::Index)?),
                None => None,
            };
            out.push(IndexExprs {
                index: index.oid,
                keys,
                predicate,
            });
        }
        Ok(out)
    }

    /// RETURNING over `layout`: expressions and their columns.
    pub fn returning(
        &mut self,
        list: Option<&Vec<ast::SelectItem>>,
        layout: &[Var],
    ) -> SqlResult<(Option<Vec<Expr>>, Vec<OutputColumn>)> {
        let Some(list) = list else {
            return Ok((None, Vec::new()));
        };
        let targets = self.within(Clause::Returning, |a| a.targets(list))?;
        let mut exprs = Vec::new();
        let mut columns = Vec::new();
        for (name, value) in targets {
            let value = self.settle(value)?;
            columns.push(self.output(&name, &value));
            exprs.push(bind(value, layout)?);
        }
        Ok((Some(exprs), columns))
    }
}
