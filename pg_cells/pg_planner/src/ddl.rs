//! CREATE TABLE, CREATE INDEX, CREATE VIEW.

use crate::analyzer::{Analyzer, Clause, fold, qualified};
use crate::build::stripped;
use crate::error;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::ast::{self, ColumnOption, TableConstraint};
use pg_plan::{
    ConstraintKind, CreateTable, Ddl, NewColumn, NewConstraint, Plan, QualifiedName, Relation,
    RelationKind, Utility,
};
use pg_types::tuple::{Attr, TupleDesc};
use pg_types::{SqlError, SqlResult, SqlState, oid};

impl Analyzer<'_> {
    /// CREATE TABLE, also AS a query.
    pub fn create_table(&mut self, create: &ast::CreateTable) -> SqlResult<Utility> {
        refuse_foreign(create)?;
        let (schema, name) = qualified(&create.name)?;
        let name = QualifiedName { schema, name };
        if let Some(query) = &create.query {
            return self.create_table_as(create, name, query);
        }
        let mut columns: Vec<NewColumn> = Vec::new();
        let mut pending = Vec::new();
        if let Some(like) = &create.like {
            self.like_table(like, &mut columns)?;
        }
        for definition in &create.columns {
            let (column, constraints) = self.column(definition)?;
            if columns.iter().any(|have| have.name == column.name) {
                return Err(SqlError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{}\" specified more than once", column.name),
                ));
            }
            columns.push(column);
            pending.extend(constraints);
        }
        pending.extend(create.constraints.iter().cloned());
        let relation = draft(&name.name, &columns);
        let mut constraints = Vec::new();
        for constraint in &pending {
            let constraint = self.constraint(&relation, constraint, false)?;
            if let ConstraintKind::PrimaryKey { columns: keys } = &constraint.kind {
                columns
                    .iter_mut()
                    .filter(|c| keys.contains(&c.name))
                    .for_each(|c| c.not_null = true);
                if constraints
                    .iter()
                    .any(|c: &NewConstraint| matches!(c.kind, ConstraintKind::PrimaryKey { .. }))
                {
                    return Err(SqlError::new(
                        SqlState::INVALID_TABLE_DEFINITION,
                        format!(
                            "multiple primary keys for table \"{}\" are not allowed",
                            name.name
                        ),
                    ));
                }
            }
            constraints.push(constraint);
        }
        Ok(Utility::Ddl(Ddl::CreateTable(CreateTable {
            name,
            temporary: create.temporary,
            unlogged: create.unlogged,
            if_not_exists: create.if_not_exists,
            columns,
            constraints,
            options: options(&create.table_options)?,
        })))
    }

    fn create_table_as(
        &mut self,
        create: &ast::CreateTable,
        name: QualifiedName,
        query: &ast::Query,
    ) -> SqlResult<Utility> {
        let plan = self.query(query)?;
        let plan = self.complete(stripped(plan))?;
        let names: Vec<String> = create.columns.iter().map(|c| fold(&c.name)).collect();
        let mut table = self.table_of_plan(name, &names, &plan)?;
        table.temporary = create.temporary;
        table.unlogged = create.unlogged;
        table.if_not_exists = create.if_not_exists;
        table.options = options(&create.table_options)?;
        let with_data = create.with_data.as_ref().is_none_or(|w| w.data);
        Ok(Utility::CreateTableAs {
            table,
            plan,
            with_data,
        })
    }

    /// The table that a query's result makes.
    pub fn table_of_plan(
        &self,
        name: QualifiedName,
        names: &[String],
        plan: &Plan,
    ) -> SqlResult<CreateTable> {
        if names.len() > plan.columns.len() {
            return Err(error::syntax("too many column names were specified"));
        }
        let mut columns: Vec<NewColumn> = Vec::new();
        for (at, column) in plan.columns.iter().enumerate() {
            let name = names.get(at).unwrap_or(&column.name).clone();
            if columns.iter().any(|have| have.name == name) {
                return Err(SqlError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{name}\" specified more than once"),
                ));
            }
            if matches!(column.type_oid, oid::RECORD | oid::UNKNOWN | oid::VOID) {
                return Err(SqlError::new(
                    SqlState::INVALID_TABLE_DEFINITION,
                    format!(
                        "column \"{name}\" has pseudo-type {}",
                        pg_types::format_type(column.type_oid, -1)
                    ),
                ));
            }
            columns.push(plain_column(name, column.type_oid, column.typmod));
        }
        Ok(CreateTable {
            name,
            temporary: false,
            unlogged: false,
            if_not_exists: false,
            columns,
            constraints: Vec::new(),
            options: Vec::new(),
        })
    }

    fn like_table(
        &mut self,
        like: &ast::CreateTableLikeKind,
        columns: &mut Vec<NewColumn>,
    ) -> SqlResult<()> {
        let (ast::CreateTableLikeKind::Parenthesized(like) | ast::CreateTableLikeKind::Plain(like)) =
            like;
        if like.defaults.is_some() {
            return Err(SqlError::unsupported("INCLUDING or EXCLUDING in LIKE"));
        }
        let (schema, name) = qualified(&like.name)?;
        let relation = self.require(schema.as_deref(), &name)?;
        for attr in relation.desc.attrs().iter().filter(|a| !a.dropped) {
            let mut column = plain_column(attr.name.as_str().into(), attr.type_oid, attr.typmod);
            column.not_null = attr.not_null;
            columns.push(column);
        }
        Ok(())
    }

    /// A column's definition and the constraints written at it.
    pub fn column(
        &mut self,
        definition: &ast::ColumnDef,
    ) -> SqlResult<(NewColumn, Vec<TableConstraint>)> {
        let name = fold(&definition.name);
        let serial = crate::types::serial(&definition.data_type);
        let (type_oid, typmod) = match serial {
            Some(found) => (found, -1),
            None => self.resolve_type(&definition.data_type)?,
        };
        if matches!(
            type_oid,
            oid::RECORD | oid::UNKNOWN | oid::VOID | oid::ANY | oid::ANYELEMENT | oid::ANYARRAY
        ) {
            return Err(SqlError::new(
                SqlState::INVALID_TABLE_DEFINITION,
                format!(
                    "column \"{name}\" has pseudo-type {}",
                    pg_types::format_type(type_oid, -1)
                ),
            ));
        }
        let mut column = plain_column(name.clone(), type_oid, typmod);
        column.serial = serial.is_some();
        column.not_null = serial.is_some();
        let mut constraints = Vec::new();
        for option in &definition.options {
            self.column_option(&mut column, option, &mut constraints)?;
        }
        if column.default.is_some() && (column.serial || column.identity.is_some()) {
            return Err(error::syntax(format!(
                "both default and identity specified for column \"{name}\""
            )));
        }
        Ok((column, constraints))
    }

    /// A dispatch table, so longer than a function should be.
    fn column_option(
        &mut self,
        column: &mut NewColumn,
        option: &ast::ColumnOptionDef,
        constraints: &mut Vec<TableConstraint>,
    ) -> SqlResult<()> {
        let own = || alloc::vec![ast::Ident::with_quote('"', column.name.clone())];
        let key = || {
            alloc::vec![ast::IndexColumn::from(ast::Ident::with_quote(
                '"',
                column.name.clone()
            ))]
        };
        match &option.option {
            ColumnOption::Null => {}
            ColumnOption::NotNull => column.not_null = true,
            ColumnOption::Default(value) => {
                let typed = self.lone_value(
                    value,
                    &column.name,
                    column.type_oid,
                    column.typmod,
                    Clause::Default,
                )?;
                column.default = Some(value.to_string());
                column.fill_volatile = crate::walk::is_volatile(&typed);
                column.fill = Some(typed);
            }
            ColumnOption::PrimaryKey(primary) => {
                column.not_null = true;
                let mut primary = primary.clone();
                primary.name = option.name.clone();
                primary.columns = key();
                constraints.push(TableConstraint::PrimaryKey(primary));
            }
            ColumnOption::Unique(unique) => {
                let mut unique = unique.clone();
                unique.name = option.name.clone();
                unique.columns = key();
                constraints.push(TableConstraint::Unique(unique));
            }
            ColumnOption::ForeignKey(foreign) => {
                let mut foreign = foreign.clone();
                foreign.name = option.name.clone();
                foreign.columns = own();
                constraints.push(TableConstraint::ForeignKey(foreign));
            }
            ColumnOption::Check(check) => {
                let mut check = check.clone();
                check.name = option.name.clone();
                constraints.push(TableConstraint::Check(check));
            }
            ColumnOption::Collation(name) => {
                let (_, name) = qualified(name)?;
                if !matches!(name.as_str(), "C" | "POSIX" | "default" | "c" | "posix") {
                    return Err(SqlError::new(
                        SqlState::UNDEFINED_OBJECT,
                        format!("collation \"{name}\" for encoding \"UTF8\" does not exist"),
                    ));
                }
            }
            ColumnOption::Generated {
                generated_as,
                sequence_options,
                generation_expr: None,
                ..
            } => {
                let how = match generated_as {
                    ast::GeneratedAs::Always => 'a',
                    ast::GeneratedAs::ByDefault => 'd',
                    ast::GeneratedAs::ExpStored => {
                        return Err(SqlError::unsupported("a generated column"));
                    }
                };
                if !matches!(column.type_oid, oid::INT2 | oid::INT4 | oid::INT8) {
                    return Err(SqlError::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        "identity column type must be smallint, integer, or bigint",
                    ));
                }
                let spec = crate::sequence::spec_of(sequence_options.as_deref().unwrap_or(&[]))?;
                column.identity = Some((how, crate::sequence::info(column.type_oid, &spec, None)?));
                column.not_null = true;
            }
            ColumnOption::Generated { .. } => {
                return Err(SqlError::unsupported("a generated column"));
            }
            other => return Err(SqlError::unsupported(format!("the column option {other}"))),
        }
        Ok(())
    }
}

fn plain_column(name: String, type_oid: pg_types::Oid, typmod: i32) -> NewColumn {
    NewColumn {
        name,
        type_oid,
        typmod,
        not_null: false,
        default: None,
        serial: false,
        identity: None,
        fill: None,
        fill_volatile: false,
    }
}

/// A descriptor of a table that is not there yet, for its constraints.
fn draft(name: &str, columns: &[NewColumn]) -> Arc<Relation> {
    let attrs = columns
        .iter()
        .map(|c| Attr::new(c.name.as_str(), c.type_oid, c.typmod))
        .collect();
    Arc::new(Relation {
        oid: 0,
        file: 0,
        name: name.into(),
        schema: String::new(),
        schema_oid: 0,
        owner: 0,
        kind: RelationKind::Table,
        desc: Arc::new(TupleDesc::new(attrs)),
        columns: Vec::new(),
        indexes: Vec::new(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        referenced_by: Vec::new(),
        view: None,
        sequence: None,
        reltuples: -1.0,
        relpages: 0,
        relallvisible: 0,
        counters: Default::default(),
    })
}

fn options(options: &ast::CreateTableOptions) -> SqlResult<Vec<(String, String)>> {
    let list = match options {
        ast::CreateTableOptions::None => return Ok(Vec::new()),
        ast::CreateTableOptions::With(list) => list,
        _ => return Err(error::syntax("syntax error in table options")),
    };
    list.iter()
        .map(|option| match option {
            ast::SqlOption::KeyValue { key, value } => {
                Ok((fold(key), value.to_string().trim_matches('\'').to_string()))
            }
            ast::SqlOption::Ident(key) => Ok((fold(key), "true".into())),
            _ => Err(error::syntax("syntax error in table options")),
        })
        .collect()
}

fn refuse_foreign(create: &ast::CreateTable) -> SqlResult<()> {
    if create.partition_by.is_some() || create.partition_of.is_some() {
        return Err(SqlError::unsupported("a partitioned table"));
    }
    if create.inherits.is_some() {
        return Err(SqlError::unsupported("INHERITS"));
    }
    if create.on_commit.is_some() && !matches!(create.on_commit, Some(ast::OnCommit::PreserveRows))
    {
        return Err(SqlError::unsupported("ON COMMIT"));
    }
    let foreign = create.or_replace
        || create.external
        || create.transient
        || create.volatile
        || create.iceberg
        || create.location.is_some()
        || create.without_rowid
        || create.clone.is_some()
        || create.comment.is_some()
        || create.primary_key.is_some()
        || create.order_by.is_some()
        || create.cluster_by.is_some()
        || create.strict;
    if foreign {
        return Err(error::syntax(
            "syntax error in CREATE TABLE: a clause of another dialect",
        ));
    }
    Ok(())
}
