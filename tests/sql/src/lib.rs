//! Statements from text to rows: parser, planner and executor as the system has
//! them, over real tables on a simulated disk; the catalog alone is one in
//! memory that CREATE fills.
#![forbid(unsafe_code)]

pub mod memory;
pub mod regress;
pub mod script;

use execution::Session;
use memory::Memory;
use pg_executor_port::IndexBuild;
use pg_parser_port::{Literal, Normalized, PARSER};
use pg_plan::{Ddl, Planned, Utility};
use pg_planner_port::{PLANNER, PlanContext};
use pg_types::{Datum, FormatSettings, SqlError};
use port::{Door, Options};
use std::sync::Arc;

/// A database that understands SQL.
pub struct Sql {
    catalog: Memory,
    session: Session,
    /// Statements go through the fingerprint where they have one: literals lifted
    /// out, planned as parameters, handed in when run.
    pub fingerprints: bool,
    _db: execution::Db,
}

/// What a statement gave: its columns' types and the values as text, `None` for
/// NULL.
pub type Answer = (Vec<pg_types::Oid>, Vec<Vec<Option<String>>>);

impl Sql {
    /// An empty database.
    pub fn new() -> Sql {
        let db = execution::database();
        for (door, cell) in [
            (&PARSER as &dyn Door, &pg_parser::CELL),
            (&PLANNER, &pg_planner::CELL),
        ] {
            if door.status().cell.is_none() {
                port::start(cell, &Options::default()).expect("the cell starts");
            }
        }
        Sql {
            catalog: Memory::new(),
            session: Session::begin(),
            fingerprints: false,
            _db: db,
        }
    }

    /// Runs one statement.
    pub fn run(&mut self, sql: &str) -> Result<Answer, SqlError> {
        let mut normal = Normalized::default();
        let normalized = self.fingerprints
            && PARSER
                .enter()
                .expect("a parser")
                .normalize(sql, &mut normal);
        let (sql, literals) = match normalized {
            true => (normal.key.as_str(), normal.literals.as_slice()),
            false => (sql, &[][..]),
        };
        let types: Vec<_> = literals.iter().map(Literal::type_oid).collect();
        let mut answer = (Vec::new(), Vec::new());
        for parsed in PARSER.enter().expect("a parser").parse(sql)? {
            let planned = {
                let context = PlanContext {
                    catalog: &self.catalog,
                    eval: &self.session.context,
                    param_types: &types,
                };
                PLANNER
                    .enter()
                    .expect("a planner")
                    .plan(&parsed.statement, &context)?
            };
            match planned {
                Planned::Query(plan) => answer = self.query(plan, literals)?,
                Planned::Utility(Utility::Ddl(ddl)) => self.change(&ddl)?,
                Planned::Utility(other) => {
                    return Err(SqlError::unsupported(other.tag(0).to_string()));
                }
            }
        }
        Ok(answer)
    }

    fn query(&mut self, plan: pg_plan::Plan, literals: &[Literal]) -> Result<Answer, SqlError> {
        let types: Vec<_> = plan.columns.iter().map(|c| c.type_oid).collect();
        let mut params = Vec::new();
        for (literal, of) in literals.iter().zip(&plan.params) {
            let text = match literal {
                Literal::Int4(n) => n.to_string(),
                Literal::Int8(n) => n.to_string(),
                Literal::Numeric(text) | Literal::Text(text) => text.clone(),
            };
            params.push(pg_builtins::input_value(
                *of,
                -1,
                &text,
                &self.session.context,
            )?);
        }
        let prepared = pg_executor_port::prepare(Arc::new(plan))?;
        self.session.tx.start_command().expect("a command");
        let mut rows: Vec<Vec<Datum>> = Vec::new();
        prepared
            .start()?
            .next_batch(&mut self.session.exec(&params), 0, &mut rows)?;
        let settings = FormatSettings::default();
        let text = |row: &Vec<Datum>| {
            row.iter()
                .zip(&types)
                .map(|(d, t)| pg_types::to_text(d, *t, &settings))
                .collect()
        };
        let rows = rows.iter().map(text).collect();
        Ok((types, rows))
    }

    fn change(&mut self, ddl: &Ddl) -> Result<(), SqlError> {
        let created = match ddl {
            Ddl::CreateTable(table) => Some(&table.name.name),
            Ddl::CreateView(view) if !view.or_replace => Some(&view.name.name),
            _ => None,
        };
        if let Some(name) = created
            && self.catalog.has(name)
        {
            return Err(SqlError::new(
                pg_types::SqlState::DUPLICATE_TABLE,
                "the relation exists",
            ));
        }
        if let Ddl::Drop(drop) = ddl
            && !drop.if_exists
            && !drop.names.iter().all(|n| self.catalog.has(&n.name))
        {
            return Err(SqlError::new(
                pg_types::SqlState::UNDEFINED_TABLE,
                "there is no such object",
            ));
        }
        if !self.catalog.apply(ddl) {
            return Err(SqlError::unsupported(ddl.tag()));
        }
        match ddl {
            Ddl::CreateTable(table) => {
                let relation = self.catalog.get(&table.name.name);
                execution::create(&relation);
            }
            Ddl::CreateIndex(create) => {
                let relation = self.catalog.get(&create.table.name);
                let index = relation.indexes.last().expect("the new index").clone();
                execution::create_index(&index);
                self.session.tx.start_command().expect("a command");
                let build = IndexBuild {
                    relation: &relation,
                    index: &index,
                    exprs: None,
                };
                pg_executor_port::EXECUTOR
                    .enter()
                    .expect("an executor")
                    .build_index(&build, &mut self.session.exec(&[]))?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Default for Sql {
    fn default() -> Self {
        Sql::new()
    }
}
