//! Statements as a whole, and commands that are no query.

use crate::analyzer::{Analyzer, qualified};
use crate::build::stripped;
use crate::target::Change;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::{Command, CommentKind, CopyCommand, ReindexKind, Statement, ast};
use pg_plan::{
    CommentTarget, Copy, CopySource, Ddl, Plan, Planned, QualifiedName, Relation, RelationKind,
    TableNames, Utility,
};
use pg_types::{SqlError, SqlResult, SqlState, oid};

impl Analyzer<'_> {
    /// Plans a statement.
    pub fn statement(&mut self, statement: &Statement) -> SqlResult<Planned> {
        match statement {
            Statement::Sql(statement) => self.sql(statement),
            Statement::Command(command) => self.command(command).map(Planned::Utility),
            Statement::Unsupported(what) => Err(SqlError::unsupported(what)),
        }
    }

    fn sql(&mut self, statement: &ast::Statement) -> SqlResult<Planned> {
        let plan = match statement {
            ast::Statement::Query(query) => {
                if let Some(into) = self.select_into(query)? {
                    return Ok(Planned::Utility(into));
                }
                self.query(query)?
            }
            ast::Statement::Insert(insert) => self.insert(insert)?,
            ast::Statement::Update(update) => self.update(update)?,
            ast::Statement::Delete(delete) => self.delete(delete)?,
            ast::Statement::CreateTable(create) => {
                return self.create_table(create).map(Planned::Utility);
            }
            ast::Statement::CreateIndex(create) => {
                return self
                    .create_index(create)
                    .map(|ddl| Planned::Utility(Utility::Ddl(ddl)));
            }
            ast::Statement::CreateView(create) => {
                return self
                    .create_view(create)
                    .map(|ddl| Planned::Utility(Utility::Ddl(ddl)));
            }
            ast::Statement::AlterTable(alter) => {
                return self
                    .alter_table(alter)
                    .map(|ddl| Planned::Utility(Utility::Ddl(ddl)));
            }
            other => return Err(SqlError::unsupported(first_words(&other.to_string()))),
        };
        self.complete(plan).map(Planned::Query)
    }

    /// A plan with what only the topmost has: version and parameters.
    pub fn complete(&mut self, mut plan: Plan) -> SqlResult<Plan> {
        for (at, known) in self.params.iter().enumerate() {
            if *known == oid::UNKNOWN {
                return Err(SqlError::new(
                    SqlState::INDETERMINATE_DATATYPE,
                    format!("could not determine data type of parameter ${}", at + 1),
                ));
            }
        }
        plan.catalog_version = self.version;
        plan.params = self.params.clone();
        plan.wants_values = self.wants_values;
        Ok(plan)
    }

    /// REINDEX. CONCURRENTLY makes it wait no less: it locks the table.
    fn reindex(&mut self, kind: ReindexKind, name: &QualifiedName) -> SqlResult<Ddl> {
        let schema = name.schema.as_deref();
        let target = match kind {
            ReindexKind::Table => (self.table(name)?, None),
            ReindexKind::Index => {
                let found = self.ctx.catalog.index(&self.path, schema, &name.name)?;
                match found {
                    Some((table, index)) => (table, Some(index)),
                    None if self.relation(schema, &name.name)?.is_some() => {
                        return Err(SqlError::new(
                            SqlState::WRONG_OBJECT_TYPE,
                            format!("\"{}\" is not an index", name.name),
                        ));
                    }
                    None => return Err(crate::error::no_table(&name.to_string())),
                }
            }
            ReindexKind::Schema => return Err(SqlError::unsupported("REINDEX SCHEMA")),
            ReindexKind::Database => return Err(SqlError::unsupported("REINDEX DATABASE")),
        };
        Ok(Ddl::Reindex {
            targets: alloc::vec![target],
        })
    }

    /// A dispatch table, so longer than a function should be.
    fn command(&mut self, command: &Command) -> SqlResult<Utility> {
        Ok(match command {
            Command::Ready(utility) => utility.clone(),
            Command::Explain { options, statement } => {
                let inner = self.statement(statement)?;
                if options.format != pg_plan::ExplainFormat::Text {
                    return Err(SqlError::unsupported("EXPLAIN in another format than text"));
                }
                let explainable = matches!(
                    &inner,
                    Planned::Query(_) | Planned::Utility(Utility::CreateTableAs { .. })
                );
                if !explainable {
                    return Err(SqlError::new(
                        SqlState::SYNTAX_ERROR,
                        "EXPLAIN takes a query or a data change",
                    ));
                }
                Utility::Explain {
                    statement: Box::new(inner),
                    options: *options,
                }
            }
            Command::Prepare { name, types, sql } => {
                let types = types
                    .iter()
                    .map(|t| self.resolve_type(t).map(|(oid, _)| oid))
                    .collect::<SqlResult<_>>()?;
                Utility::Prepare {
                    name: name.clone(),
                    types,
                    sql: sql.clone(),
                }
            }
            Command::Declare {
                name,
                query,
                hold,
                scroll,
                binary,
            } => {
                let Planned::Query(plan) = self.statement(query)? else {
                    return Err(SqlError::new(
                        SqlState::INVALID_CURSOR_DEFINITION,
                        "DECLARE CURSOR takes a query",
                    ));
                };
                if plan.verb() != pg_plan::Verb::Select {
                    return Err(SqlError::new(
                        SqlState::INVALID_CURSOR_DEFINITION,
                        "DECLARE CURSOR takes a query",
                    ));
                }
                Utility::Declare {
                    name: name.clone(),
                    plan,
                    hold: *hold,
                    scroll: *scroll,
                    binary: *binary,
                }
            }
            Command::Copy(copy) => self.copy(copy)?,
            Command::Vacuum {
                tables,
                analyze,
                full,
                freeze,
                verbose,
            } => Utility::Vacuum {
                tables: self.tables(tables)?,
                analyze: *analyze,
                full: *full,
                freeze: *freeze,
                verbose: *verbose,
            },
            Command::Analyze { tables, verbose } => Utility::Analyze {
                tables: self.tables(tables)?,
                verbose: *verbose,
            },
            Command::Lock {
                tables,
                mode,
                nowait,
            } => {
                let tables = tables
                    .iter()
                    .map(|name| self.require(name.schema.as_deref(), &name.name))
                    .collect::<SqlResult<Vec<_>>>()?;
                if let Some(other) = tables
                    .iter()
                    .find(|t| !matches!(t.kind, RelationKind::Table | RelationKind::View))
                {
                    return Err(SqlError::new(
                        SqlState::WRONG_OBJECT_TYPE,
                        format!("\"{}\" is not a table or view", other.name),
                    ));
                }
                Utility::Lock {
                    tables,
                    mode: *mode,
                    nowait: *nowait,
                }
            }
            Command::Truncate {
                tables,
                restart_identity,
                cascade,
            } => {
                let tables = tables
                    .iter()
                    .map(|name| self.table(name))
                    .collect::<SqlResult<_>>()?;
                Utility::Ddl(Ddl::Truncate {
                    tables,
                    restart_identity: *restart_identity,
                    cascade: *cascade,
                })
            }
            Command::Reindex {
                kind,
                name,
                concurrently: _,
            } => Utility::Ddl(self.reindex(*kind, name)?),
            Command::CreateSequence {
                name,
                temporary,
                if_not_exists,
                spec,
            } => Utility::Ddl(self.create_sequence(name, *temporary, *if_not_exists, spec)?),
            Command::AlterSequence {
                name,
                if_exists,
                spec,
            } => {
                return self
                    .alter_sequence(name, *if_exists, spec)
                    .map(Utility::Ddl);
            }
            Command::Alter {
                object,
                if_exists,
                action,
            } => Utility::Ddl(self.alter_object(object, *if_exists, action)?),
            Command::Comment {
                kind,
                name,
                on,
                text,
            } => {
                let target = self.comment_target(*kind, name, on.as_ref())?;
                Utility::Ddl(Ddl::Comment {
                    target,
                    text: text.clone(),
                })
            }
        })
    }

    /// A table by name; 42809 for what is none.
    pub fn table(&mut self, name: &QualifiedName) -> SqlResult<Arc<Relation>> {
        let relation = self.require(name.schema.as_deref(), &name.name)?;
        if relation.kind != RelationKind::Table {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a table", relation.name),
            ));
        }
        Ok(relation)
    }

    fn tables(&mut self, names: &TableNames) -> SqlResult<Vec<(Arc<Relation>, Vec<String>)>> {
        let mut out = Vec::new();
        for (name, columns) in names {
            let relation = self.table(name)?;
            for column in columns {
                self.column_place(&relation, column)?;
            }
            out.push((relation, columns.clone()));
        }
        Ok(out)
    }

    fn copy(&mut self, copy: &CopyCommand) -> SqlResult<Utility> {
        if copy.condition.is_some() {
            return Err(SqlError::unsupported("WHERE in COPY FROM"));
        }
        if let Some(encoding) = &copy.options.encoding
            && !matches!(
                encoding.to_lowercase().as_str(),
                "utf8" | "utf-8" | "unicode"
            )
        {
            return Err(SqlError::unsupported(format!(
                "COPY in the encoding {encoding}"
            )));
        }
        let source = match (&copy.table, &copy.query) {
            (Some((name, columns)), _) if copy.from => {
                let relation =
                    self.changed_table(name.schema.as_deref(), &name.name, Change::Insert)?;
                let columns = self.places(&relation, columns)?;
                let insert = self.copy_insert(relation.clone(), &columns)?;
                CopySource::From {
                    relation,
                    columns,
                    insert: self.complete(insert)?,
                }
            }
            (Some((name, columns)), _) => {
                let relation = self.require(name.schema.as_deref(), &name.name)?;
                if relation.kind != RelationKind::Table {
                    return Err(SqlError::new(
                        SqlState::WRONG_OBJECT_TYPE,
                        format!("cannot copy from view \"{}\"", relation.name),
                    )
                    .with_hint("Try the COPY (SELECT ...) TO variant."));
                }
                let places = self.places(&relation, columns)?;
                let plan = self.copy_table(relation, &places)?;
                CopySource::To(self.complete(plan)?)
            }
            (None, Some(query)) => match self.statement(query)? {
                Planned::Query(plan) if !plan.columns.is_empty() => CopySource::To(plan),
                _ => {
                    return Err(SqlError::new(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        "COPY query must have a RETURNING clause",
                    ));
                }
            },
            (None, None) => return Err(SqlError::internal("COPY without a source")),
        };
        Ok(Utility::Copy(Box::new(Copy {
            source,
            options: copy.options.clone(),
        })))
    }

    /// All rows of a table, for COPY TO.
    fn copy_table(&mut self, relation: Arc<Relation>, places: &[usize]) -> SqlResult<Plan> {
        let columns = places
            .iter()
            .map(|at| {
                let attr = &relation.desc.attrs()[*at];
                pg_plan::OutputColumn {
                    name: attr.name.as_str().into(),
                    type_oid: attr.type_oid,
                    typmod: attr.typmod,
                    table: relation.oid,
                    attribute: *at as i16 + 1,
                }
            })
            .collect();
        let (rows, pages) = crate::stats::size(&relation);
        let node = pg_plan::Node::SeqScan {
            relation,
            columns: places.to_vec(),
            row_id: false,
            filter: None,
        };
        let mut plan = Self::bare(node, columns, rows);
        plan.total_cost = pages + rows * crate::path::ROW;
        Ok(plan)
    }

    fn comment_target(
        &mut self,
        kind: CommentKind,
        name: &[String],
        on: Option<&QualifiedName>,
    ) -> SqlResult<CommentTarget> {
        let last = name.last().cloned().unwrap_or_default();
        Ok(match (kind, name) {
            (CommentKind::Schema, _) => CommentTarget::Schema(last),
            (CommentKind::Database, _) => CommentTarget::Database(last),
            (CommentKind::Constraint, _) => {
                let on = on.ok_or_else(|| SqlError::internal("a constraint without its table"))?;
                CommentTarget::Constraint {
                    relation: self.table(on)?,
                    name: last,
                }
            }
            (CommentKind::Column, [table, column]) => self.comment_column(None, table, column)?,
            (CommentKind::Column, [schema, table, column]) => {
                self.comment_column(Some(schema), table, column)?
            }
            (CommentKind::Column, _) => {
                return Err(SqlError::new(
                    SqlState::SYNTAX_ERROR,
                    "column name must be qualified",
                ));
            }
            (CommentKind::Relation, _) => {
                let schema = name.len().checked_sub(2).map(|at| name[at].as_str());
                match self.relation(schema, &last)? {
                    Some(relation) => CommentTarget::Relation(relation),
                    None => match self.ctx.catalog.index(&self.path, schema, &last)? {
                        Some((_, index)) => CommentTarget::Index(index),
                        None => return Err(crate::error::no_table(&last)),
                    },
                }
            }
        })
    }

    fn comment_column(
        &mut self,
        schema: Option<&str>,
        table: &str,
        column: &str,
    ) -> SqlResult<CommentTarget> {
        let relation = self.require(schema, table)?;
        let attribute = self.column_place(&relation, column)? as i16 + 1;
        Ok(CommentTarget::Column {
            relation,
            attribute,
        })
    }

    /// SELECT ... INTO at the top.
    fn select_into(&mut self, query: &ast::Query) -> SqlResult<Option<Utility>> {
        let ast::SetExpr::Select(select) = &*query.body else {
            return Ok(None);
        };
        let Some(into) = &select.into else {
            return Ok(None);
        };
        let [target] = into.targets.as_slice() else {
            return Err(SqlError::unsupported("SELECT INTO several tables"));
        };
        let name = match target {
            ast::Expr::Identifier(ident) => ast::ObjectName::from(alloc::vec![ident.clone()]),
            ast::Expr::CompoundIdentifier(idents) => ast::ObjectName::from(idents.clone()),
            _ => {
                return Err(SqlError::new(
                    SqlState::SYNTAX_ERROR,
                    "syntax error after INTO",
                ));
            }
        };
        let mut inner = query.clone();
        if let ast::SetExpr::Select(select) = &mut *inner.body {
            select.into = None;
        }
        let (schema, name) = qualified(&name)?;
        let plan = self.query(&inner)?;
        let plan = self.complete(stripped(plan))?;
        let table = self.table_of_plan(QualifiedName { schema, name }, &[], &plan)?;
        let table = pg_plan::CreateTable {
            temporary: into.temporary,
            unlogged: into.unlogged,
            ..table
        };
        Ok(Some(Utility::CreateTableAs {
            table,
            plan,
            with_data: true,
        }))
    }
}

/// The first words of a statement, for an error.
fn first_words(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    words.join(" ")
}
