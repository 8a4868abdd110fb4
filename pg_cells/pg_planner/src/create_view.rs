//! CREATE VIEW: its columns, and its query with `*` written out.

use crate::analyzer::{Analyzer, fold, qualified};
use crate::error;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_parser_port::ast::{self};
use pg_plan::{CreateView, Ddl, QualifiedName};
use pg_types::{SqlError, SqlResult, SqlState};

/// The columns of a FROM item as SQL writes them.
pub fn written(item: &crate::scope::NameItem, out: &mut Vec<ast::SelectItem>) {
    let quoted = |s: &str| {
        let plain = s.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && s.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if plain {
            ast::Ident::new(s)
        } else {
            ast::Ident::with_quote('"', s)
        }
    };
    for column in &item.columns {
        let expr = match &item.alias {
            Some(alias) => {
                ast::Expr::CompoundIdentifier(alloc::vec![quoted(alias), quoted(&column.name)])
            }
            None => ast::Expr::Identifier(quoted(&column.name)),
        };
        out.push(ast::SelectItem::UnnamedExpr(expr));
    }
}

impl Analyzer<'_> {
    /// CREATE VIEW.
    pub fn create_view(&mut self, create: &ast::CreateView) -> SqlResult<Ddl> {
        if create.materialized {
            return Err(SqlError::unsupported("a materialized view"));
        }
        if create.if_not_exists || create.or_alter || create.to.is_some() {
            return Err(error::syntax(
                "syntax error in CREATE VIEW: a clause of another dialect",
            ));
        }
        let (schema, name) = qualified(&create.name)?;
        let plan = self.query(&create.query)?;
        if !self.params.is_empty() {
            return Err(SqlError::new(
                SqlState::UNDEFINED_PARAMETER,
                "there is no parameter $1",
            ));
        }
        if create.columns.len() > plan.columns.len() {
            return Err(error::syntax(
                "CREATE VIEW specifies more column names than columns",
            ));
        }
        let mut columns: Vec<(String, pg_types::Oid, i32)> = Vec::new();
        for (at, column) in plan.columns.iter().enumerate() {
            let name = create
                .columns
                .get(at)
                .map_or_else(|| column.name.clone(), |c| fold(&c.name));
            if columns.iter().any(|(have, ..)| *have == name) {
                return Err(SqlError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{name}\" specified more than once"),
                ));
            }
            columns.push((name, column.type_oid, column.typmod));
        }
        Ok(Ddl::CreateView(CreateView {
            name: QualifiedName { schema, name },
            or_replace: create.or_replace,
            temporary: create.temporary,
            columns,
            query: self.without_stars(&create.query)?,
            uses: self.relations.iter().map(|r| r.oid).collect(),
        }))
    }

    /// The query's text, `*` of its select list written out.
    pub fn without_stars(&mut self, query: &ast::Query) -> SqlResult<String> {
        let mut query = query.clone();
        let ast::SetExpr::Select(select) = &mut *query.body else {
            return Ok(query.to_string());
        };
        let starred = select.projection.iter().any(|item| {
            matches!(
                item,
                ast::SelectItem::Wildcard(_) | ast::SelectItem::QualifiedWildcard(..)
            )
        });
        if !starred {
            return Ok(query.to_string());
        }
        let ((), _) = self.nested(false, true, |a| {
            a.from(&select.from)?;
            let items = a.level().names.items.clone();
            let mut list = Vec::new();
            for item in &select.projection {
                match item {
                    ast::SelectItem::Wildcard(_) => {
                        items
                            .iter()
                            .filter(|i| i.columns_visible)
                            .for_each(|i| written(i, &mut list));
                    }
                    ast::SelectItem::QualifiedWildcard(
                        ast::SelectItemQualifiedWildcardKind::ObjectName(name),
                        _,
                    ) => {
                        let (_, name) = qualified(name)?;
                        let found = items
                            .iter()
                            .find(|i| i.name_visible && i.alias.as_deref() == Some(&name));
                        found.into_iter().for_each(|i| written(i, &mut list));
                    }
                    other => list.push(other.clone()),
                }
            }
            select.projection = list;
            Ok(())
        })?;
        Ok(query.to_string())
    }
}
