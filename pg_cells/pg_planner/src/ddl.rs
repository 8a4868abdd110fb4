//! CREATE TABLE, CREATE INDEX, CREATE VIEW.

use crate::analyzer::{Analyzer, Clause, fold, qualified};
use crate::error;
use crate::finish::stripped;
use crate::walk::type_of;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::ast::{self, ColumnOption, TableConstraint};
use pg_plan::{
    ConstraintKind, CreateIndex, CreateTable, CreateView, Ddl, NewColumn, NewConstraint, NewIndexKey, Plan,
    QualifiedName, Relation, RelationKind, Utility,
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
            let plan = self.query(query)?;
            let plan = self.complete(stripped(plan))?;
            let names: Vec<String> = create.columns.iter().map(|c| fold(&c.name)).collect();
            let mut table = self.table_of_plan(name, &names, &plan)?;
            table.temporary = create.temporary;
            table.unlogged = create.unlogged;
            table.if_not_exists = create.if_not_exists;
            table.options = options(&create.table_options)?;
            let with_data = create.with_data.as_ref().is_none_or(|w| w.data);
            return Ok(Utility::CreateTableAs { table, plan, with_data });
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
                columns.iter_mut().filter(|c| keys.contains(&c.name)).for_each(|c| c.not_null = true);
                if constraints.iter().any(|c: &NewConstraint| matches!(c.kind, ConstraintKind::PrimaryKey { .. })) {
                    return Err(SqlError::new(
                        SqlState::INVALID_TABLE_DEFINITION,
                        format!("multiple primary keys for table \"{}\" are not allowed", name.name),
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

    /// The table that a query's result makes.
    pub fn table_of_plan(&self, name: QualifiedName, names: &[String], plan: &Plan) -> SqlResult<CreateTable> {
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
                    format!("column \"{name}\" has pseudo-type {}", pg_types::format_type(column.type_oid, -1)),
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

    fn like_table(&mut self, like: &ast::CreateTableLikeKind, columns: &mut Vec<NewColumn>) -> SqlResult<()> {
        let (ast::CreateTableLikeKind::Parenthesized(like) | ast::CreateTableLikeKind::Plain(like)) = like;
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
    pub fn column(&mut self, definition: &ast::ColumnDef) -> SqlResult<(NewColumn, Vec<TableConstraint>)> {
        let name = fold(&definition.name);
        let serial = crate::types::serial(&definition.data_type);
        let (type_oid, typmod) = match serial {
            Some(found) => (found, -1),
            None => self.resolve_type(&definition.data_type)?,
        };
        if matches!(type_oid, oid::RECORD | oid::UNKNOWN | oid::VOID | oid::ANY | oid::ANYELEMENT | oid::ANYARRAY) {
            return Err(SqlError::new(
                SqlState::INVALID_TABLE_DEFINITION,
                format!("column \"{name}\" has pseudo-type {}", pg_types::format_type(type_oid, -1)),
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
            return Err(error::syntax(format!("both default and identity specified for column \"{name}\"")));
        }
        Ok((column, constraints))
    }

    fn column_option(
        &mut self,
        column: &mut NewColumn,
        option: &ast::ColumnOptionDef,
        constraints: &mut Vec<TableConstraint>,
    ) -> SqlResult<()> {
        let own = || alloc::vec![ast::Ident::with_quote('"', column.name.clone())];
        let key = || {
            alloc::vec![ast::IndexColumn::from(ast::Ident::with_quote('"', column.name.clone()))]
        };
        match &option.option {
            ColumnOption::Null => {}
            ColumnOption::NotNull => column.not_null = true,
            ColumnOption::Default(value) => {
                let typed = self.lone_value(value, &column.name, column.type_oid, column.typmod, Clause::Default)?;
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
            ColumnOption::Generated { generated_as, sequence_options, generation_expr: None, .. } => {
                let how = match generated_as {
                    ast::GeneratedAs::Always => 'a',
                    ast::GeneratedAs::ByDefault => 'd',
                    ast::GeneratedAs::ExpStored => return Err(SqlError::unsupported("a generated column")),
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
            ColumnOption::Generated { .. } => return Err(SqlError::unsupported("a generated column")),
            other => return Err(SqlError::unsupported(format!("the column option {other}"))),
        }
        Ok(())
    }

    /// A constraint of a table, which may be a draft.
    pub fn constraint(
        &mut self,
        relation: &Arc<Relation>,
        constraint: &TableConstraint,
        not_valid: bool,
    ) -> SqlResult<NewConstraint> {
        let (name, kind, characteristics) = match constraint {
            TableConstraint::PrimaryKey(c) => {
                let columns = self.key_names(relation, &c.columns, &c.include)?;
                (&c.name, ConstraintKind::PrimaryKey { columns }, &c.characteristics)
            }
            TableConstraint::Unique(c) => {
                let columns = self.key_names(relation, &c.columns, &c.include)?;
                let nulls_not_distinct = matches!(c.nulls_distinct, ast::NullsDistinctOption::NotDistinct);
                (&c.name, ConstraintKind::Unique { columns, nulls_not_distinct }, &c.characteristics)
            }
            TableConstraint::PrimaryKeyUsingIndex(c) => {
                let kind = ConstraintKind::UsingIndex { primary: true, index: fold(&c.index_name) };
                (&c.name, kind, &c.characteristics)
            }
            TableConstraint::UniqueUsingIndex(c) => {
                let kind = ConstraintKind::UsingIndex { primary: false, index: fold(&c.index_name) };
                (&c.name, kind, &c.characteristics)
            }
            TableConstraint::Check(c) => {
                if c.enforced == Some(false) {
                    return Err(SqlError::unsupported("NOT ENFORCED"));
                }
                (&c.name, self.check_kind(relation, &c.expr)?, &None)
            }
            TableConstraint::ForeignKey(c) => (&c.name, self.foreign_key(relation, c)?, &c.characteristics),
            TableConstraint::Exclude(_) => return Err(SqlError::unsupported("an exclusion constraint")),
            _ => return Err(error::syntax("syntax error in a table constraint")),
        };
        let deferrable = characteristics.as_ref().and_then(|c| c.deferrable).unwrap_or(false);
        let deferred = characteristics
            .as_ref()
            .is_some_and(|c| matches!(c.initially, Some(ast::DeferrableInitial::Deferred)));
        Ok(NewConstraint {
            name: name.as_ref().map(fold),
            kind,
            deferrable: deferrable || deferred,
            deferred,
            not_valid,
        })
    }

    fn key_names(
        &mut self,
        relation: &Relation,
        columns: &[ast::IndexColumn],
        include: &[ast::Ident],
    ) -> SqlResult<Vec<String>> {
        if !include.is_empty() {
            return Err(SqlError::unsupported("INCLUDE in a constraint"));
        }
        let mut out: Vec<String> = Vec::new();
        for column in columns {
            let ast::Expr::Identifier(ident) = &column.column.expr else {
                return Err(error::syntax("a key constraint takes column names"));
            };
            let name = fold(ident);
            if relation.desc.find(&name).is_none() {
                return Err(SqlError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{name}\" named in key does not exist"),
                ));
            }
            if out.contains(&name) {
                return Err(SqlError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{name}\" appears twice in a key constraint"),
                ));
            }
            out.push(name);
        }
        Ok(out)
    }

    fn check_kind(&mut self, relation: &Arc<Relation>, ast: &ast::Expr) -> SqlResult<ConstraintKind> {
        let condition = self.over_row(relation, Clause::Check, |a| {
            let condition = a.expr(ast)?;
            a.boolean(condition, "CHECK")
        })?;
        if crate::walk::any(&condition, &mut |e| matches!(e, pg_plan::Expr::SubLink(_))) {
            return Err(SqlError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot use subquery in check constraint",
            ));
        }
        let mut columns: Vec<String> = Vec::new();
        crate::walk::any(&condition, &mut |e| {
            if let pg_plan::Expr::Column { index, .. } = e {
                let name: String = relation.desc.attrs()[*index].name.as_str().into();
                if !columns.contains(&name) {
                    columns.push(name);
                }
            }
            false
        });
        Ok(ConstraintKind::Check { expression: ast.to_string(), condition, columns })
    }

    fn foreign_key(&mut self, relation: &Relation, c: &ast::ForeignKeyConstraint) -> SqlResult<ConstraintKind> {
        let mut columns = Vec::new();
        for ident in &c.columns {
            let name = fold(ident);
            if relation.desc.find(&name).is_none() {
                return Err(SqlError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{name}\" referenced in foreign key constraint does not exist"),
                ));
            }
            columns.push(name);
        }
        let (schema, name) = qualified(&c.foreign_table)?;
        let referenced: Vec<String> = c.referred_columns.iter().map(fold).collect();
        if !referenced.is_empty() && referenced.len() != columns.len() {
            return Err(SqlError::new(
                SqlState::INVALID_FOREIGN_KEY,
                "number of referencing and referenced columns for foreign key disagree",
            ));
        }
        let action = |a: &Option<ast::ReferentialAction>| match a {
            None | Some(ast::ReferentialAction::NoAction) => 'a',
            Some(ast::ReferentialAction::Restrict) => 'r',
            Some(ast::ReferentialAction::Cascade) => 'c',
            Some(ast::ReferentialAction::SetNull) => 'n',
            Some(ast::ReferentialAction::SetDefault) => 'd',
        };
        let match_kind = match &c.match_kind {
            None | Some(ast::ConstraintReferenceMatchKind::Simple) => 's',
            Some(ast::ConstraintReferenceMatchKind::Full) => 'f',
            Some(ast::ConstraintReferenceMatchKind::Partial) => {
                return Err(SqlError::unsupported("MATCH PARTIAL"));
            }
        };
        Ok(ConstraintKind::ForeignKey {
            columns,
            references: QualifiedName { schema, name },
            referenced,
            on_delete: action(&c.on_delete),
            on_update: action(&c.on_update),
            match_kind,
        })
    }

    /// CREATE INDEX.
    pub fn create_index(&mut self, create: &ast::CreateIndex) -> SqlResult<Ddl> {
        match &create.using {
            None | Some(ast::IndexType::BTree) => {}
            Some(other) => return Err(SqlError::unsupported(format!("the index method {}", other.to_string().to_lowercase()))),
        }
        if !create.include.is_empty() {
            return Err(SqlError::unsupported("INCLUDE in an index"));
        }
        let (schema, name) = qualified(&create.table_name)?;
        let table = self.table(&QualifiedName { schema, name })?;
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
                Some((ast.to_string(), condition))
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
            predicate,
            options: create.with.iter().filter_map(option_of_expr).collect(),
        }))
    }

    fn index_key(&mut self, table: &Arc<Relation>, column: &ast::IndexColumn) -> SqlResult<NewIndexKey> {
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
            let at = self.column_place(table, &fold(ident)).map_err(|_| error::no_column(&fold(ident)))?;
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
            return Err(SqlError::new(
                SqlState::INVALID_OBJECT_DEFINITION,
                "functions in index expression must be marked IMMUTABLE",
            ));
        }
        let type_oid = type_of(&expr);
        Ok(NewIndexKey {
            attribute: 0,
            expression: Some((bare.to_string(), expr)),
            type_oid,
            class,
            descending,
            nulls_first,
        })
    }

    /// CREATE VIEW.
    pub fn create_view(&mut self, create: &ast::CreateView) -> SqlResult<Ddl> {
        if create.materialized {
            return Err(SqlError::unsupported("a materialized view"));
        }
        if create.if_not_exists || create.or_alter || create.to.is_some() {
            return Err(error::syntax("syntax error in CREATE VIEW: a clause of another dialect"));
        }
        let (schema, name) = qualified(&create.name)?;
        let plan = self.query(&create.query)?;
        if !self.params.is_empty() {
            return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        if create.columns.len() > plan.columns.len() {
            return Err(error::syntax("CREATE VIEW specifies more column names than columns"));
        }
        let mut columns: Vec<(String, pg_types::Oid, i32)> = Vec::new();
        for (at, column) in plan.columns.iter().enumerate() {
            let name = create.columns.get(at).map_or_else(|| column.name.clone(), |c| fold(&c.name));
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
    fn without_stars(&mut self, query: &ast::Query) -> SqlResult<String> {
        let mut query = query.clone();
        let ast::SetExpr::Select(select) = &mut *query.body else {
            return Ok(query.to_string());
        };
        let starred = select
            .projection
            .iter()
            .any(|item| matches!(item, ast::SelectItem::Wildcard(_) | ast::SelectItem::QualifiedWildcard(..)));
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
                        items.iter().filter(|i| i.columns_visible).for_each(|i| written(i, &mut list));
                    }
                    ast::SelectItem::QualifiedWildcard(ast::SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                        let (_, name) = qualified(name)?;
                        let found = items.iter().find(|i| i.name_visible && i.alias.as_deref() == Some(&name));
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

/// The columns of a FROM item as SQL writes them.
fn written(item: &crate::scope::NameItem, out: &mut Vec<ast::SelectItem>) {
    let quoted = |s: &str| {
        let plain = s.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if plain { ast::Ident::new(s) } else { ast::Ident::with_quote('"', s) }
    };
    for column in &item.columns {
        let expr = match &item.alias {
            Some(alias) => ast::Expr::CompoundIdentifier(alloc::vec![quoted(alias), quoted(&column.name)]),
            None => ast::Expr::Identifier(quoted(&column.name)),
        };
        out.push(ast::SelectItem::UnnamedExpr(expr));
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
    let attrs = columns.iter().map(|c| Attr::new(c.name.as_str(), c.type_oid, c.typmod)).collect();
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

fn option_of_expr(expr: &ast::Expr) -> Option<(String, String)> {
    match expr {
        ast::Expr::BinaryOp { left, right, .. } => {
            Some((left.to_string(), right.to_string().trim_matches('\'').to_string()))
        }
        _ => None,
    }
}

fn refuse_foreign(create: &ast::CreateTable) -> SqlResult<()> {
    if create.partition_by.is_some() || create.partition_of.is_some() {
        return Err(SqlError::unsupported("a partitioned table"));
    }
    if create.inherits.is_some() {
        return Err(SqlError::unsupported("INHERITS"));
    }
    if create.on_commit.is_some() && !matches!(create.on_commit, Some(ast::OnCommit::PreserveRows)) {
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
        return Err(error::syntax("syntax error in CREATE TABLE: a clause of another dialect"));
    }
    Ok(())
}
