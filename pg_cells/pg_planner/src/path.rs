//! A plan in the making: operators, which variable each output column holds,
//! and in what order the rows come. Costs are in units of a sequential page
//! read, as in PostgreSQL.

use crate::analyzer::{Analyzer, Var};
use crate::walk;
use alloc::format;
use alloc::vec::Vec;
use pg_plan::{Expr, Node, OutputColumn, Plan};
use pg_types::{SqlError, SqlResult, oid};

/// Reading the next page.
pub const SEQ_PAGE: f64 = 1.0;
/// Reading any page: flash has no seek.
pub const RANDOM_PAGE: f64 = 1.1;
/// Finding one row by all columns of a unique key. Less than any page: those that
/// lead to a row which is looked for like this are in memory, and reading the
/// whole of a small table instead means to look at the dead versions on its pages
/// as well, which the statistics do not tell of.
pub const KEY_LOOKUP: f64 = 0.5;
/// Handling a row.
pub const ROW: f64 = 0.01;
/// Handling an index entry.
pub const INDEX_ROW: f64 = 0.005;
/// Evaluating an operator.
pub const OPERATOR: f64 = 0.0025;

/// One sort key of a path: variable, descending, NULLs first.
pub type OrderKey = (Var, bool, bool);

/// A plan in the making.
#[derive(Clone, Debug)]
pub struct Path {
    /// The operators so far.
    pub plan: Plan,
    /// The variable in each output column.
    pub layout: Vec<Var>,
    /// How the rows are sorted.
    pub order: Vec<OrderKey>,
    /// Variables with one value in all rows.
    pub fixed: Vec<Var>,
}

impl Path {
    /// An expression over the path's rows.
    pub fn bind(&self, expr: Expr) -> SqlResult<Expr> {
        bind(expr, &self.layout)
    }

    /// Several.
    pub fn bind_all(&self, list: Vec<Expr>) -> SqlResult<Vec<Expr>> {
        list.into_iter().map(|expr| self.bind(expr)).collect()
    }

    /// Whether the rows come sorted like this.
    pub fn sorted_by(&self, want: &[OrderKey]) -> bool {
        let mut have = self.order.iter();
        want.iter()
            .filter(|(var, ..)| !self.fixed.contains(var))
            .all(|key| have.next() == Some(key))
    }
}

/// Replaces variables by their places in a row of `layout`.
pub fn bind(expr: Expr, layout: &[Var]) -> SqlResult<Expr> {
    let mut missing = false;
    let out = walk::map(expr, &mut |e| match e {
        Expr::Column { index, type_oid } => match layout.iter().position(|var| var == index) {
            Some(place) => Some(Expr::Column {
                index: place,
                type_oid: *type_oid,
            }),
            None => {
                missing = true;
                None
            }
        },
        _ => None,
    });
    if missing {
        return Err(SqlError::unsupported(
            "a reference to a FROM item that is joined later",
        ));
    }
    Ok(out)
}

/// The same for the inner side of a join: what is not in `layout` is handed in
/// through `frame`, values of the enclosing frame included.
pub fn bind_inner(expr: Expr, layout: &[Var], frame: &mut Vec<Expr>) -> Expr {
    walk::map(expr, &mut |e| match e {
        Expr::Column { index, type_oid } => match layout.iter().position(|var| var == index) {
            Some(place) => Some(Expr::Column {
                index: place,
                type_oid: *type_oid,
            }),
            None => Some(hand_in(e, frame)),
        },
        Expr::Outer { .. } => Some(hand_in(e, frame)),
        _ => None,
    })
}

fn hand_in(expr: &Expr, frame: &mut Vec<Expr>) -> Expr {
    let index = match frame.iter().position(|have| walk::same(have, expr)) {
        Some(index) => index,
        None => {
            frame.push(expr.clone());
            frame.len() - 1
        }
    };
    Expr::Outer {
        index,
        type_oid: walk::type_of(expr),
    }
}

/// Which variables a block needs above its scans, and in what order they are
/// first used.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    counts: Vec<u32>,
    order: Vec<Var>,
}

impl Uses {
    /// Counts the variables of an expression.
    pub fn add(&mut self, expr: &Expr) {
        walk::any(expr, &mut |e| {
            if let Expr::Column { index, .. } = e {
                self.add_var(*index);
            }
            false
        });
    }

    /// Counts one variable.
    pub fn add_var(&mut self, var: Var) {
        if self.counts.len() <= var {
            self.counts.resize(var + 1, 0);
        }
        if self.counts[var] == 0 && !self.order.contains(&var) {
            self.order.push(var);
        }
        self.counts[var] += 1;
    }

    /// How often the variables of `expr` are used beside in `expr`.
    pub fn beyond(&self, var: Var, consumed: &[&Expr]) -> u32 {
        let mut here = 0;
        for expr in consumed {
            walk::any(expr, &mut |e| {
                here += u32::from(matches!(e, Expr::Column { index, .. } if *index == var));
                false
            });
        }
        self.counts
            .get(var)
            .copied()
            .unwrap_or(0)
            .saturating_sub(here)
    }

    /// Those of `vars` that are used beside in `consumed`, in order of first use.
    pub fn wanted(&self, vars: &[Var], consumed: &[&Expr]) -> Vec<Var> {
        self.order
            .iter()
            .copied()
            .filter(|var| vars.contains(var) && self.beyond(*var, consumed) > 0)
            .collect()
    }
}

impl Analyzer<'_> {
    /// The columns of rows of `layout`, named with their items for EXPLAIN.
    pub fn layout_columns(&self, layout: &[Var]) -> Vec<OutputColumn> {
        layout
            .iter()
            .map(|var| {
                let info = &self.vars[*var];
                OutputColumn {
                    name: if info.item.is_empty() {
                        info.name.clone()
                    } else {
                        format!("{}.{}", info.item, info.name)
                    },
                    type_oid: info.type_oid,
                    typmod: info.typmod,
                    table: info.table,
                    attribute: info.attribute,
                }
            })
            .collect()
    }

    /// A path of an operator over variables.
    pub fn path(&self, node: Node, layout: Vec<Var>, rows: f64, startup: f64, total: f64) -> Path {
        let mut plan = Self::bare(node, self.layout_columns(&layout), rows.max(1.0));
        plan.startup_cost = startup;
        plan.total_cost = total;
        Path {
            plan,
            layout,
            order: Vec::new(),
            fixed: Vec::new(),
        }
    }

    /// A filter on top of a path.
    pub fn filtered(&self, path: Path, conditions: Vec<Expr>, selectivity: f64) -> SqlResult<Path> {
        let Some(condition) = walk::conjunction(conditions) else {
            return Ok(path);
        };
        let condition = path.bind(condition)?;
        let rows = (path.plan.rows * selectivity).max(1.0);
        let (startup, total) = (
            path.plan.startup_cost,
            path.plan.total_cost + path.plan.rows * OPERATOR,
        );
        let mut out = self.path(
            Node::Nothing { filter: None },
            path.layout.clone(),
            rows,
            startup,
            total,
        );
        out.plan.node = Node::Filter {
            input: path.plan,
            condition,
        }
        .into();
        out.order = path.order;
        out.fixed = path.fixed;
        Ok(out)
    }
}

/// The true condition is none.
pub fn is_true(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Const {
            value: pg_types::Datum::Bool(true),
            type_oid: oid::BOOL
        }
    )
}

/// A condition that can never hold.
pub fn is_never(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Const {
            value: pg_types::Datum::Bool(false) | pg_types::Datum::Null,
            ..
        }
    )
}
