//! INSERT and ON CONFLICT.

use crate::analyzer::{Analyzer, Clause, Var, VarInfo, fold, qualified};
use crate::build::stripped;
use crate::error;
use crate::path::bind;
use crate::target::Change;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::ast;
use pg_plan::{Expr, Node, Plan, Relation, TargetColumn};
use pg_types::{Oid, SqlError, SqlResult, SqlState, oid};

/// Where an insert's values come from.
struct Source {
    input: Plan,
    /// For each named column its value over the input; `None` is DEFAULT.
    values: Vec<Option<Expr>>,
}

impl Analyzer<'_> {
    /// Plans an INSERT in the current level.
    pub fn insert(&mut self, insert: &ast::Insert) -> SqlResult<Plan> {
        refuse_foreign(insert)?;
        let ast::TableObject::TableName(name) = &insert.table else {
            return Err(SqlError::unsupported("INSERT into a function"));
        };
        let (schema, name) = qualified(name)?;
        let relation = self.changed_table(schema.as_deref(), &name, Change::Insert)?;
        let places = self.insert_columns(&relation, &insert.columns)?;
        let explicit = !insert.columns.is_empty();
        let source = match &insert.source {
            Some(query) => self.insert_source(&relation, &places, explicit, query)?,
            None => Source {
                input: Self::bare(Node::Nothing { filter: None }, Vec::new(), 1.0),
                values: Vec::new(),
            },
        };
        let alias = insert
            .table_alias
            .as_ref()
            .map_or_else(|| relation.name.clone(), |a| fold(&a.alias));
        self.insert_node(relation, &places, source, &alias, insert)
    }

    fn insert_node(
        &mut self,
        relation: Arc<Relation>,
        places: &[usize],
        source: Source,
        alias: &str,
        insert: &ast::Insert,
    ) -> SqlResult<Plan> {
        let values = self.stored_values(&relation, places, source.values)?;
        let checks = self.checks(&relation)?;
        let index_exprs = self.index_exprs(&relation)?;
        let vars = self.row_vars(&relation, alias);
        let on_conflict = match &insert.on {
            None => None,
            Some(ast::OnInsert::OnConflict(on)) => {
                Some(self.on_conflict(&relation, &vars, alias, on)?)
            }
            Some(_) => return Err(error::syntax("syntax error at or near \"DUPLICATE\"")),
        };
        let reached = match &on_conflict {
            Some(on) if on.update.is_some() => self.reached(&relation)?,
            _ => Vec::new(),
        };
        let item = self.row_item(&relation, alias, &vars, true);
        let before = core::mem::take(&mut self.level().names);
        self.level().names.items.push(item);
        let returning = self.returning(insert.returning.as_ref(), &vars);
        self.level().names = before;
        let (returning, columns) = returning?;
        let (rows, cost) = (source.input.rows, source.input.total_cost);
        let node = Node::Insert {
            relation,
            input: source.input,
            values,
            checks,
            index_exprs,
            on_conflict,
            reached,
            returning,
        };
        let mut plan = Self::bare(node, columns, rows);
        plan.total_cost = cost + rows * 0.02;
        Ok(plan)
    }

    /// The value of every column of the stored row.
    fn stored_values(
        &mut self,
        relation: &Arc<Relation>,
        places: &[usize],
        given: Vec<Option<Expr>>,
    ) -> SqlResult<Vec<TargetColumn>> {
        let mut values: Vec<Option<Expr>> = relation.desc.attrs().iter().map(|_| None).collect();
        for (place, value) in places.iter().zip(given) {
            if value.is_some() {
                self.refuse_always(relation, *place)?;
            }
            values[*place] = value;
        }
        let mut out = Vec::new();
        for (at, value) in values.into_iter().enumerate() {
            let attr = &relation.desc.attrs()[at];
            let (dropped, not_null, type_oid) = (attr.dropped, attr.not_null, attr.type_oid);
            let value = match value {
                _ if dropped => crate::coerce::null(type_oid),
                Some(value) => value,
                None => self.default_value(relation, at)?,
            };
            out.push(TargetColumn {
                value,
                not_null: not_null && !dropped,
            });
        }
        Ok(out)
    }

    fn refuse_always(&self, relation: &Relation, at: usize) -> SqlResult<()> {
        let always = relation
            .columns
            .get(at)
            .is_some_and(|c| c.identity == Some('a'));
        if !always {
            return Ok(());
        }
        let name = relation.desc.attrs()[at].name.as_str();
        Err(SqlError::new(
            SqlState::GENERATED_ALWAYS,
            format!("cannot insert a non-DEFAULT value into column \"{name}\""),
        )
        .with_detail(format!(
            "Column \"{name}\" is an identity column defined as GENERATED ALWAYS."
        ))
        .with_hint("Use OVERRIDING SYSTEM VALUE to override."))
    }

    /// The places of the columns an INSERT or COPY names.
    pub fn places(&self, relation: &Relation, names: &[String]) -> SqlResult<Vec<usize>> {
        let mut out = Vec::new();
        for name in names {
            let at = self.column_place(relation, name)?;
            if out.contains(&at) {
                return Err(SqlError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{name}\" specified more than once"),
                ));
            }
            out.push(at);
        }
        if names.is_empty() {
            let attrs = relation.desc.attrs().iter().enumerate();
            out.extend(attrs.filter(|(_, attr)| !attr.dropped).map(|(at, _)| at));
        }
        Ok(out)
    }

    fn insert_columns(
        &self,
        relation: &Relation,
        list: &[ast::ObjectName],
    ) -> SqlResult<Vec<usize>> {
        let mut names = Vec::new();
        for name in list {
            let at = self.target_column(relation, name)?;
            names.push(relation.desc.attrs()[at].name.as_str().into());
        }
        self.places(relation, &names)
    }

    fn insert_source(
        &mut self,
        relation: &Arc<Relation>,
        places: &[usize],
        explicit: bool,
        query: &ast::Query,
    ) -> SqlResult<Source> {
        let plain = query.with.is_none()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.fetch.is_none()
            && query.locks.is_empty();
        match &*query.body {
            ast::SetExpr::Values(values) if plain => {
                self.insert_values(relation, places, explicit, values)
            }
            _ => self.insert_query(relation, places, explicit, query),
        }
    }

    fn insert_values(
        &mut self,
        relation: &Arc<Relation>,
        places: &[usize],
        explicit: bool,
        values: &ast::Values,
    ) -> SqlResult<Source> {
        let width = values.rows.first().map_or(0, |row| row.content.len());
        check_width(places.len(), width, explicit)?;
        let mut rows: Vec<Vec<Option<Expr>>> = Vec::new();
        for row in &values.rows {
            if row.content.len() != width {
                return Err(error::syntax("VALUES lists must all be the same length"));
            }
            let mut out = Vec::new();
            for (ast, place) in row.content.iter().zip(places) {
                out.push(self.insert_value(relation, *place, ast)?);
            }
            rows.push(out);
        }
        if rows.len() == 1 {
            let values = rows.pop().unwrap_or_default();
            return Ok(Source {
                input: Self::bare(Node::Nothing { filter: None }, Vec::new(), 1.0),
                values,
            });
        }
        // A column that is DEFAULT in every row is not given at all.
        let defaults: Vec<bool> = (0..width)
            .map(|at| rows.iter().all(|row| row[at].is_none()))
            .collect();
        let mut columns = Vec::new();
        for place in &places[..width] {
            let attr = &relation.desc.attrs()[*place];
            columns.push(pg_plan::OutputColumn {
                name: attr.name.as_str().into(),
                type_oid: attr.type_oid,
                typmod: attr.typmod,
                table: 0,
                attribute: 0,
            });
        }
        let mut typed = Vec::new();
        for row in rows {
            let mut out = Vec::new();
            for (at, value) in row.into_iter().enumerate() {
                out.push(match value {
                    Some(value) => value,
                    None if defaults[at] => crate::coerce::null(columns[at].type_oid),
                    None => self.default_value(relation, places[at])?,
                });
            }
            typed.push(out);
        }
        let values = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                (!defaults[index]).then_some(Expr::Column {
                    index,
                    type_oid: column.type_oid,
                })
            })
            .collect();
        let count = typed.len() as f64;
        Ok(Source {
            input: Self::bare(Node::Values(typed), columns, count),
            values,
        })
    }

    /// One value, or `None` for DEFAULT.
    fn insert_value(
        &mut self,
        relation: &Relation,
        place: usize,
        ast: &ast::Expr,
    ) -> SqlResult<Option<Expr>> {
        if is_default(ast) {
            return Ok(None);
        }
        let attr = &relation.desc.attrs()[place];
        let value = self.within(Clause::Values, |a| a.expr(ast))?;
        self.assign(value, attr.name.as_str(), attr.type_oid, attr.typmod)
            .map(Some)
    }

    fn insert_query(
        &mut self,
        relation: &Arc<Relation>,
        places: &[usize],
        explicit: bool,
        query: &ast::Query,
    ) -> SqlResult<Source> {
        let (plan, _) = self.nested(true, false, |a| {
            a.keep_unknown = true;
            a.query(query)
        })?;
        let plan = stripped(plan);
        check_width(places.len(), plan.columns.len(), explicit)?;
        let types: Vec<Oid> = plan
            .columns
            .iter()
            .zip(places)
            .map(|(column, place)| match column.type_oid {
                oid::UNKNOWN => relation.desc.attrs()[*place].type_oid,
                known => known,
            })
            .collect();
        let plan = self.retyped(plan, &types)?;
        let mut layout: Vec<Var> = Vec::new();
        for column in &plan.columns {
            let var = self.new_var(VarInfo {
                name: column.name.clone(),
                type_oid: column.type_oid,
                typmod: column.typmod,
                table: 0,
                attribute: 0,
                item: String::new(),
                leaf: None,
            });
            layout.push(var);
        }
        let mut values = Vec::new();
        for (var, place) in layout.iter().zip(places) {
            let attr = &relation.desc.attrs()[*place];
            let value = self.assign(
                self.var(*var),
                attr.name.as_str(),
                attr.type_oid,
                attr.typmod,
            )?;
            values.push(Some(bind(value, &layout)?));
        }
        Ok(Source {
            input: plan,
            values,
        })
    }

    /// The insert of COPY FROM: its input has one column per entry of `places`,
    /// of the columns' types.
    pub fn copy_insert(&mut self, relation: Arc<Relation>, places: &[usize]) -> SqlResult<Plan> {
        let mut columns = Vec::new();
        let mut given = Vec::new();
        for (index, place) in places.iter().enumerate() {
            let attr = &relation.desc.attrs()[*place];
            columns.push(pg_plan::OutputColumn {
                name: attr.name.as_str().into(),
                type_oid: attr.type_oid,
                typmod: attr.typmod,
                table: 0,
                attribute: 0,
            });
            given.push(Expr::Column {
                index,
                type_oid: attr.type_oid,
            });
        }
        let mut values = Vec::new();
        for (at, attr) in relation.desc.attrs().iter().enumerate() {
            let value = match places.iter().position(|place| *place == at) {
                Some(index) => given[index].clone(),
                None if attr.dropped => crate::coerce::null(attr.type_oid),
                None => self.default_value(&relation, at)?,
            };
            values.push(TargetColumn {
                value,
                not_null: attr.not_null && !attr.dropped,
            });
        }
        let checks = self.checks(&relation)?;
        let index_exprs = self.index_exprs(&relation)?;
        let input = Self::bare(Node::Values(Vec::new()), columns, 1000.0);
        let node = Node::Insert {
            relation,
            input,
            values,
            checks,
            index_exprs,
            on_conflict: None,
            reached: Vec::new(),
            returning: None,
        };
        Ok(Self::bare(node, Vec::new(), 1000.0))
    }
}

/// The word DEFAULT as a value.
pub fn is_default(ast: &ast::Expr) -> bool {
    matches!(ast, ast::Expr::Identifier(ident) if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

fn check_width(columns: usize, values: usize, explicit: bool) -> SqlResult<()> {
    if values > columns {
        return Err(error::syntax(
            "INSERT has more expressions than target columns",
        ));
    }
    if values < columns && explicit {
        return Err(error::syntax(
            "INSERT has more target columns than expressions",
        ));
    }
    Ok(())
}

fn refuse_foreign(insert: &ast::Insert) -> SqlResult<()> {
    let foreign = insert.or.is_some()
        || insert.ignore
        || insert.overwrite
        || !insert.assignments.is_empty()
        || insert.partitioned.is_some()
        || !insert.after_columns.is_empty()
        || insert.has_table_keyword
        || insert.output.is_some()
        || insert.replace_into
        || insert.priority.is_some()
        || insert.insert_alias.is_some()
        || insert.settings.is_some()
        || insert.format_clause.is_some()
        || insert.multi_table_insert_type.is_some();
    if foreign || !insert.into {
        return Err(error::syntax(
            "syntax error in INSERT: a clause of another dialect",
        ));
    }
    Ok(())
}
