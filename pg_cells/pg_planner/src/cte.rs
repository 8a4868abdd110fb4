//! WITH, recursive and not, and views.

use crate::analyzer::{Analyzer, CteDef, fold};
use crate::build::stripped;
use crate::error;
use crate::from_query::Resolved;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::{PARSER, Statement, ast};
use pg_plan::{CteId, Node, OutputColumn, Plan, Relation};
use pg_types::{SqlError, SqlResult, SqlState, Str, format_type};

impl Analyzer<'_> {
    /// The nearest common table expression of this name.
    pub fn find_cte(&self, name: &str) -> Option<CteDef> {
        self.levels
            .iter()
            .rev()
            .flat_map(|level| level.ctes.iter().rev())
            .find(|cte| cte.name == name)
            .cloned()
    }

    fn new_cte(&mut self) -> CteId {
        self.next_cte += 1;
        self.next_cte - 1
    }

    /// Plans the expressions of WITH and brings them into sight.
    pub fn with_clause(&mut self, with: &ast::With) -> SqlResult<Vec<(CteId, Plan)>> {
        let mut out = Vec::new();
        for cte in &with.cte_tables {
            let name = fold(&cte.alias.name);
            if self.level().ctes.iter().any(|have| have.name == name) {
                return Err(SqlError::new(
                    SqlState::DUPLICATE_ALIAS,
                    format!("WITH query name \"{name}\" specified more than once"),
                ));
            }
            let aliases: Vec<String> = cte.alias.columns.iter().map(|c| fold(&c.name)).collect();
            let id = self.new_cte();
            let recursive = with.recursive && mentions(&cte.query, &name);
            let plan = if recursive {
                self.recursive(&name, &aliases, &cte.query)?
            } else {
                let (plan, _) = self.nested(true, true, |a| a.query(&cte.query))?;
                stripped(plan)
            };
            let columns = renamed(&plan.columns, &aliases, &name)?;
            let rows = plan.rows;
            self.level().ctes.push(CteDef {
                name,
                id,
                columns,
                rows,
            });
            out.push((id, plan));
        }
        Ok(out)
    }

    /// `initial UNION [ALL] step`.
    fn recursive(&mut self, name: &str, aliases: &[String], query: &ast::Query) -> SqlResult<Plan> {
        let invalid = |message: String| SqlError::new(SqlState::INVALID_RECURSION, message);
        let ast::SetExpr::SetOperation {
            left,
            op: ast::SetOperator::Union,
            set_quantifier,
            right,
        } = &*query.body
        else {
            return Err(invalid(format!(
                "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
            )));
        };
        if query.order_by.is_some() || query.limit_clause.is_some() || !query.locks.is_empty() {
            return Err(SqlError::unsupported(
                "ORDER BY, LIMIT or FOR UPDATE in a recursive query",
            ));
        }
        let work = self.new_cte();
        let (plan, _) = self.nested(true, true, |a| {
            let ctes = match &query.with {
                Some(with) => a.with_clause(with)?,
                None => Vec::new(),
            };
            let (initial, _) = a.nested(true, true, |a| a.body_alone(left))?;
            let initial = stripped(initial);
            let columns = renamed(&initial.columns, aliases, name)?;
            let rows = initial.rows * 10.0;
            a.level().ctes.push(CteDef { name: name.into(), id: work, columns: columns.clone(), rows });
            let (step, _) = a.nested(true, true, |a| a.body_alone(right))?;
            let mut step = stripped(step);
            if step.columns.len() != columns.len() {
                return Err(error::syntax("each UNION query must have the same number of columns"));
            }
            for (at, (first, second)) in columns.iter().zip(&mut step.columns).enumerate() {
                if first.type_oid != second.type_oid {
                    return Err(SqlError::new(
                        SqlState::DATATYPE_MISMATCH,
                        format!(
                            "recursive query \"{name}\" column {} has type {} in non-recursive term but type {} overall",
                            at + 1,
                            format_type(first.type_oid, first.typmod),
                            format_type(second.type_oid, second.typmod)
                        ),
                    )
                    .with_hint("Cast the output of the non-recursive term to the correct type."));
                }
            }
            let all = matches!(set_quantifier, ast::SetQuantifier::All);
            let cost = initial.total_cost + step.total_cost * 10.0;
            let node = Node::RecursiveUnion { id: work, initial, step, all };
            let mut plan = Self::bare(node, columns, rows);
            plan.total_cost = cost;
            Ok(with(ctes, plan))
        })?;
        Ok(plan)
    }

    /// A view's query; its text is read with the view's schema first.
    pub fn view(&mut self, relation: &Arc<Relation>) -> SqlResult<Resolved> {
        if self.views.contains(&relation.oid) {
            return Err(SqlError::new(
                SqlState::INVALID_OBJECT_DEFINITION,
                format!(
                    "infinite recursion detected in rules for relation \"{}\"",
                    relation.name
                ),
            ));
        }
        let query = parse_query(relation.view.as_deref().unwrap_or(""))?;
        let levels = core::mem::replace(
            &mut self.levels,
            alloc::vec![crate::analyzer::Level::new(false, false)],
        );
        let path = self.path.clone();
        if relation.schema != "pg_catalog" {
            let at = self
                .path
                .iter()
                .take_while(|s| s.as_str() == "pg_catalog")
                .count();
            self.path.insert(at, Str::from(relation.schema.as_str()));
        }
        self.views.push(relation.oid);
        let nullable = core::mem::take(&mut self.nullable);
        let resolved = self.deeper(|a| a.query_or_block(&query, true, nullable));
        self.nullable = nullable;
        self.views.pop();
        self.path = path;
        self.levels = levels;
        let names: Vec<String> = relation
            .desc
            .attrs()
            .iter()
            .filter(|a| !a.dropped)
            .map(|a| a.name.as_str().into())
            .collect();
        let lost = || {
            SqlError::internal(format!(
                "the query of view \"{}\" has lost columns",
                relation.name
            ))
        };
        match resolved? {
            Resolved::Plan(plan) => {
                let mut plan = stripped(plan);
                if plan.columns.len() < names.len() {
                    return Err(lost());
                }
                for (column, name) in plan.columns.iter_mut().zip(names) {
                    column.name = name;
                    column.table = relation.oid;
                }
                Ok(Resolved::Plan(plan))
            }
            Resolved::Block(mut block) => {
                if block.targets.len() < names.len() {
                    return Err(lost());
                }
                block
                    .targets
                    .iter_mut()
                    .zip(names)
                    .for_each(|(target, name)| target.0 = name);
                Ok(Resolved::Block(block))
            }
        }
    }
}

/// Parses the text of one query.
pub fn parse_query(text: &str) -> SqlResult<ast::Query> {
    let mut parsed = PARSER
        .enter()
        .map_err(|e| SqlError::new(SqlState::CANNOT_CONNECT_NOW, format!("{e}")))?
        .parse(text)?;
    match (parsed.pop().map(|p| p.statement), parsed.is_empty()) {
        (Some(Statement::Sql(statement)), true) => match *statement {
            ast::Statement::Query(query) => Ok(*query),
            _ => Err(SqlError::internal("a stored query is none")),
        },
        _ => Err(SqlError::internal("a stored query is none")),
    }
}

/// Puts WITH around a plan.
pub fn with(ctes: Vec<(CteId, Plan)>, body: Plan) -> Plan {
    if ctes.is_empty() {
        return body;
    }
    let columns = body.columns.clone();
    let (rows, hidden) = (body.rows, body.hidden);
    let (startup, mut total) = (body.startup_cost, body.total_cost);
    total += ctes.iter().map(|(_, plan)| plan.total_cost).sum::<f64>();
    let mut plan = Analyzer::bare(Node::With { ctes, body }, columns, rows);
    plan.hidden = hidden;
    plan.startup_cost = startup;
    plan.total_cost = total;
    plan
}

fn renamed(
    columns: &[OutputColumn],
    aliases: &[String],
    name: &str,
) -> SqlResult<Vec<OutputColumn>> {
    if aliases.len() > columns.len() {
        return Err(error::bad_reference(format!(
            "WITH query \"{name}\" has {} columns available but {} columns specified",
            columns.len(),
            aliases.len()
        )));
    }
    let mut out = columns.to_vec();
    out.iter_mut()
        .zip(aliases)
        .for_each(|(column, alias)| column.name = alias.clone());
    Ok(out)
}

/// Whether a query names the table anywhere. A text search over the printed
/// query is enough: a false hit only makes the query take the recursive form's
/// checks.
fn mentions(query: &ast::Query, name: &str) -> bool {
    let ast::SetExpr::SetOperation {
        op: ast::SetOperator::Union,
        right,
        ..
    } = &*query.body
    else {
        return false;
    };
    let text = format!("{right}").to_lowercase();
    let name = name.to_lowercase();
    text.match_indices(&name).any(|(at, _)| {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        !text[..at].ends_with(word)
            && !text[at + name.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}
