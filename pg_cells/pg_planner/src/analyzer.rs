//! The state of planning one statement: variables, query levels, parameters.
//!
//! While a statement is analyzed, [`Expr::Column`] holds a *variable*: a number
//! that is unique in the statement and stands for a column of one FROM item (or
//! an aggregate's, a window function's, a set-returning function's value).
//! Binding an expression to an operator's output replaces variables by places.
//!
//! Query levels form a stack. A name found in a level below the top is handed
//! up through the levels between, each noting the value in its `outer` list and
//! referring to it as [`Expr::Outer`].

use crate::error;
use crate::index_facts::LeafFacts;
use crate::leaf::Leaf;
use crate::scope::Namespace;
use crate::walk;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::ast;
use pg_plan::{CteId, Expr, OutputColumn, Plan, Relation};
use pg_planner_port::PlanContext;
use pg_types::{Oid, SqlError, SqlResult, SqlState, Str, oid};

/// A variable's number.
pub type Var = usize;

/// What is known of a variable.
#[derive(Clone, Debug)]
pub struct VarInfo {
    /// Its name, for output columns and EXPLAIN.
    pub name: String,
    /// Its type.
    pub type_oid: Oid,
    /// Its modifier.
    pub typmod: i32,
    /// The table it comes from, else zero.
    pub table: Oid,
    /// Its attribute number there, else zero.
    pub attribute: i16,
    /// The name of the FROM item it belongs to.
    pub item: String,
    /// The leaf it belongs to; `None` for computed values.
    pub leaf: Option<usize>,
}

/// The part of a query an expression stands in; named in errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clause {
    /// The select list.
    Select,
    /// WHERE.
    Where,
    /// JOIN ... ON.
    JoinOn,
    /// A function in FROM.
    FromFunction,
    /// GROUP BY.
    GroupBy,
    /// HAVING.
    Having,
    /// ORDER BY.
    OrderBy,
    /// VALUES.
    Values,
    /// LIMIT and OFFSET.
    Limit,
    /// RETURNING.
    Returning,
    /// SET of an update.
    Set,
    /// Arguments of an aggregate.
    AggregateArgs,
    /// A window's definition or arguments.
    Window,
    /// A default.
    Default,
    /// A check constraint.
    Check,
    /// An index's expression or predicate.
    Index,
}

impl Clause {
    /// As errors name it.
    pub fn name(self) -> &'static str {
        match self {
            Clause::Select => "SELECT",
            Clause::Where => "WHERE",
            Clause::JoinOn => "JOIN conditions",
            Clause::FromFunction => "functions in FROM",
            Clause::GroupBy => "GROUP BY",
            Clause::Having => "HAVING",
            Clause::OrderBy => "ORDER BY",
            Clause::Values => "VALUES",
            Clause::Limit => "LIMIT",
            Clause::Returning => "RETURNING",
            Clause::Set => "UPDATE",
            Clause::AggregateArgs => "aggregate function calls",
            Clause::Window => "window definitions",
            Clause::Default => "DEFAULT expressions",
            Clause::Check => "check constraints",
            Clause::Index => "index expressions",
        }
    }
}

/// A common table expression in sight.
#[derive(Clone)]
pub struct CteDef {
    /// Its name.
    pub name: String,
    /// Its number in the plan.
    pub id: CteId,
    /// Its columns.
    pub columns: Vec<OutputColumn>,
    /// Estimated rows.
    pub rows: f64,
}

/// A query level.
pub struct Level {
    /// What names mean.
    pub names: Namespace,
    /// Values handed in from enclosing levels.
    pub outer: Vec<Expr>,
    /// It has no frame of its own: what it is handed goes through to the
    /// enclosing level's frame (subqueries in FROM that are not lateral).
    pub frameless: bool,
    /// The enclosing level's FROM items are not in sight.
    pub hides_parent: bool,
    /// WITH of this level.
    pub ctes: Vec<CteDef>,
    /// Where the expression being analyzed stands.
    pub clause: Clause,
    /// Aggregates met, when collecting.
    pub aggregates: Vec<(Var, pg_plan::AggregateCall)>,
    /// Window calls met.
    pub windows: Vec<crate::window::Pending>,
    /// Set-returning calls of the select list.
    pub sets: Vec<(Var, Expr)>,
    /// Named windows.
    pub window_names: Vec<(String, ast::WindowSpec)>,
    /// GROUPING calls: the variable and the arguments.
    pub groupings: Vec<(Var, Vec<Expr>)>,
}

impl Level {
    /// A level with nothing in sight.
    pub fn new(frameless: bool, hides_parent: bool) -> Level {
        Level {
            names: Namespace::default(),
            outer: Vec::new(),
            frameless,
            hides_parent,
            ctes: Vec::new(),
            clause: Clause::Select,
            aggregates: Vec::new(),
            windows: Vec::new(),
            sets: Vec::new(),
            window_names: Vec::new(),
            groupings: Vec::new(),
        }
    }
}

/// How deeply expressions and subqueries may nest.
const MAX_DEPTH: usize = 400;

/// The state of planning one statement.
pub struct Analyzer<'a> {
    /// The session.
    pub ctx: &'a PlanContext<'a>,
    /// The catalog's version before anything was looked up in it: what is found
    /// may be newer, and then the plan counts as outdated, but never older.
    pub version: u64,
    /// The search path, implicit schemas included.
    pub path: Vec<Str>,
    /// All variables.
    pub vars: Vec<VarInfo>,
    /// The query levels, innermost last. Never empty.
    pub levels: Vec<Level>,
    /// Types of the parameters; `UNKNOWN` until something tells.
    pub params: Vec<Oid>,
    /// Common table expressions so far.
    pub next_cte: CteId,
    /// All leaves of FROM clauses.
    pub leaves: Vec<Leaf>,
    /// Relations looked up, for dependencies of views.
    pub relations: Vec<Arc<Relation>>,
    /// Depth of nesting.
    depth: usize,
    /// Views being expanded.
    pub views: Vec<Oid>,
    /// The FROM item being resolved may get NULLs for its rows from a join.
    pub nullable: bool,
    /// The next select list may keep literals of unknown type: its consumer
    /// knows the types it wants.
    pub keep_unknown: bool,
    /// What is known of the indexes of leaves, by the leaf's number.
    pub facts: Vec<(usize, LeafFacts)>,
    /// See [`Plan::wants_values`].
    pub wants_values: bool,
}

impl<'a> Analyzer<'a> {
    /// Starts on a statement.
    pub fn new(ctx: &'a PlanContext<'a>) -> Analyzer<'a> {
        let unknown = |t: &Oid| if *t == 0 { oid::UNKNOWN } else { *t };
        Analyzer {
            ctx,
            version: ctx.catalog.version(),
            path: ctx.eval.search_path(true),
            vars: Vec::new(),
            levels: alloc::vec![Level::new(false, false)],
            params: ctx.param_types.iter().map(unknown).collect(),
            next_cte: 0,
            leaves: Vec::new(),
            relations: Vec::new(),
            depth: 0,
            views: Vec::new(),
            nullable: false,
            keep_unknown: false,
            facts: Vec::new(),
            wants_values: false,
        }
    }

    /// The innermost level.
    pub fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::new(false, false));
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    /// Runs `f` one level of nesting deeper.
    pub fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        if self.depth >= MAX_DEPTH {
            return Err(SqlError::new(
                SqlState::STATEMENT_TOO_COMPLEX,
                "stack depth limit exceeded",
            ));
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    /// Runs `f` with expressions counted to `clause`.
    pub fn within<T>(
        &mut self,
        clause: Clause,
        f: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<T> {
        let before = core::mem::replace(&mut self.level().clause, clause);
        let result = f(self);
        self.level().clause = before;
        result
    }

    /// Runs `f` in a new level and gives what it was handed from outside.
    pub fn nested<T>(
        &mut self,
        frameless: bool,
        hides_parent: bool,
        f: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<(T, Vec<Expr>)> {
        self.levels.push(Level::new(frameless, hides_parent));
        let height = self.levels.len();
        let result = self.deeper(f);
        self.levels.truncate(height);
        let outer = self
            .levels
            .pop()
            .map(|level| level.outer)
            .unwrap_or_default();
        Ok((result?, outer))
    }

    /// A new variable.
    pub fn new_var(&mut self, info: VarInfo) -> Var {
        self.vars.push(info);
        self.vars.len() - 1
    }

    /// A new variable for a computed value.
    pub fn computed(&mut self, name: &str, type_oid: Oid) -> Var {
        self.new_var(VarInfo {
            name: name.into(),
            type_oid,
            typmod: -1,
            table: 0,
            attribute: 0,
            item: String::new(),
            leaf: None,
        })
    }

    /// A reference to a variable.
    pub fn var(&self, var: Var) -> Expr {
        Expr::Column {
            index: var,
            type_oid: self.vars[var].type_oid,
        }
    }

    /// Hands `expr`, found in level `found`, up to the innermost level.
    pub fn hand_up(&mut self, mut expr: Expr, found: usize) -> Expr {
        for level in &mut self.levels[found + 1..] {
            if level.frameless {
                continue;
            }
            let type_oid = walk::type_of(&expr);
            let index = match level.outer.iter().position(|e| walk::same(e, &expr)) {
                Some(index) => index,
                None => {
                    level.outer.push(expr);
                    level.outer.len() - 1
                }
            };
            expr = Expr::Outer { index, type_oid };
        }
        expr
    }

    /// The type modifier of an expression's value, -1 when it has none.
    pub fn typmod_of(&self, expr: &Expr) -> i32 {
        match expr {
            Expr::Column { index, .. } => self.vars.get(*index).map_or(-1, |v| v.typmod),
            Expr::ApplyTypmod { typmod, .. } | Expr::CastViaText { typmod, .. } => *typmod,
            Expr::SubLink(link) if matches!(link.kind, pg_plan::SubLinkKind::Scalar) => {
                link.plan.columns.first().map_or(-1, |c| c.typmod)
            }
            _ => -1,
        }
    }

    /// The output column an expression makes under a name.
    pub fn output(&self, name: &str, expr: &Expr) -> OutputColumn {
        let (table, attribute) = match expr {
            Expr::Column { index, .. } => self
                .vars
                .get(*index)
                .map_or((0, 0), |v| (v.table, v.attribute)),
            _ => (0, 0),
        };
        OutputColumn {
            name: name.into(),
            type_oid: walk::type_of(expr),
            typmod: self.typmod_of(expr),
            table,
            attribute,
        }
    }

    /// A table, view or sequence by name.
    pub fn relation(
        &mut self,
        schema: Option<&str>,
        name: &str,
    ) -> SqlResult<Option<Arc<Relation>>> {
        let found = self.ctx.catalog.relation(&self.path, schema, name)?;
        if let Some(relation) = &found
            && !self.relations.iter().any(|r| r.oid == relation.oid)
        {
            self.relations.push(relation.clone());
        }
        Ok(found)
    }

    /// The same; 42P01 when there is none.
    pub fn require(&mut self, schema: Option<&str>, name: &str) -> SqlResult<Arc<Relation>> {
        let found = self.relation(schema, name)?;
        found.ok_or_else(|| match schema {
            Some(schema) => error::no_table(&alloc::format!("{schema}.{name}")),
            None => error::no_table(name),
        })
    }

    /// A plan without costs around a node.
    pub fn bare(node: pg_plan::Node, columns: Vec<OutputColumn>, rows: f64) -> Plan {
        Plan {
            node: node.into(),
            columns,
            hidden: 0,
            rows,
            startup_cost: 0.0,
            total_cost: 0.0,
            catalog_version: 0,
            wants_values: false,
            params: Vec::new(),
        }
    }
}

/// A name as it counts: folded unless quoted.
pub fn fold(ident: &ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The parts of a name of several parts, folded.
pub fn parts(name: &ast::ObjectName) -> SqlResult<Vec<String>> {
    name.0
        .iter()
        .map(|part| match part {
            ast::ObjectNamePart::Identifier(ident) => Ok(fold(ident)),
            ast::ObjectNamePart::Function(_) => Err(SqlError::unsupported("a function as a name")),
        })
        .collect()
}

/// Schema and name.
pub fn qualified(name: &ast::ObjectName) -> SqlResult<(Option<String>, String)> {
    let mut parts = parts(name)?;
    let last = parts.pop().unwrap_or_default();
    let schema = parts.pop();
    if !parts.is_empty() {
        return Err(SqlError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            alloc::format!("cross-database references are not implemented: {name}"),
        ));
    }
    Ok((schema, last))
}
