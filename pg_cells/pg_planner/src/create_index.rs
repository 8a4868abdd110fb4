//! CREATE INDEX.

use crate::analyzer::{Analyzer, Clause, fold, qualified};
use crate::error;
use crate::walk::type_of;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::ast::{self};
use pg_plan::{CreateIndex, Ddl, NewIndexKey, QualifiedName, Relation};
use pg_types::{SqlError, SqlResult, SqlState};

/// A storage parameter.
pub fn option_of_expr(expr: &ast::Expr) -> Option<(String, String)> {
    match expr {
        ast::Expr::BinaryOp { left, right, .. } => Some((
            left.to_string(),
            right.to_string().trim_matches('\'').to_string(),
        )),
        _ => None,
    }
}

/// 42P17.
fn mutable(what: &str) -> SqlError {
    SqlError::new(
        SqlState::INVALID_OBJECT_DEFINITION,
        format!("functions in index {what} must be marked IMMUTABLE"),
    )
}

impl Analyzer<'_> {
    /// CREATE INDEX.
    pub fn create_index(&mut self, create: &ast::CreateIndex) -> SqlResult<Ddl> {
        match &create.using {
            None | Some(ast::IndexType::BTree) => {}
            Some(other) => {
                return Err(SqlError::unsupported(format!(
                    "the index method {}",
                    other.to_string().to_lowercase()
                )));
            }
        }
        let (schema, name) = qualified(&create.table_name)?;
        let table = self.table(&QualifiedName { schema, name })?;
        let mut include = Vec::new();
        for ident in &create.include {
            let at = self.column_place(&table, &fold(ident));
            include.push(at.map_err(|_| error::no_column(&fold(ident)))? as i16 + 1);
        }
        let mut keys = Vec::new();
        for column in &create.columns {
            keys.push(self.index_key(&table, column)?);
        }
        let predicate = match &create.predicate {
            None => None,
            Some(ast) => {
                let condition = self.over_row(&table, Clause::Index, |a| {
                    let condition = a.expr(ast)?;
                    a.boolean(condition, "WHERE")
                })?;
                if crate::walk::is_volatile(&condition) {
                    return Err(mutable("predicate"));
                }
                let text = ast.to_string();
                Some((self.canonical(&table, text, &condition), condition))
            }
        };
        let name = match &create.name {
            Some(name) => Some(qualified(name)?.1),
            None => None,
        };
        Ok(Ddl::CreateIndex(CreateIndex {
            name,
            table,
            unique: create.unique,
            if_not_exists: create.if_not_exists,
            nulls_not_distinct: create.nulls_distinct == Some(false),
            keys,
            include,
            concurrently: create.concurrently,
            predicate,
            options: create.with.iter().filter_map(option_of_expr).collect(),
        }))
    }

    /// A key column.
    pub fn index_key(
        &mut self,
        table: &Arc<Relation>,
        column: &ast::IndexColumn,
    ) -> SqlResult<NewIndexKey> {
        let (descending, nulls_first) = crate::order::direction(&column.column.options)?;
        let class = match &column.operator_class {
            Some(name) => Some(qualified(name)?.1),
            None => None,
        };
        let mut bare = &column.column.expr;
        while let ast::Expr::Nested(inner) | ast::Expr::Collate { expr: inner, .. } = bare {
            bare = inner;
        }
        if let ast::Expr::Identifier(ident) = bare {
            let at = self
                .column_place(table, &fold(ident))
                .map_err(|_| error::no_column(&fold(ident)))?;
            let type_oid = table.desc.attrs()[at].type_oid;
            return Ok(NewIndexKey {
                attribute: at as i16 + 1,
                expression: None,
                type_oid,
                class,
                descending,
                nulls_first,
            });
        }
        let expr = self.over_row(table, Clause::Index, |a| {
            let value = a.expr(bare)?;
            a.settle(value)
        })?;
        if crate::walk::is_volatile(&expr) {
            return Err(mutable("expression"));
        }
        let type_oid = type_of(&expr);
        Ok(NewIndexKey {
            attribute: 0,
            expression: Some((self.canonical(table, bare.to_string(), &expr), expr)),
            type_oid,
            class,
            descending,
            nulls_first,
        })
    }
}
