//! Common table expressions.
//!
//! Each expression has a [`CteSlot`] in the execution's state: its operator and
//! the rows it has given so far. [`CteScan`] reads the rows and runs the operator
//! when it needs more, so a query with LIMIT over an endless recursion ends.
//! [`With`] opens its slots when it starts, and at its end runs those that change
//! tables to their end. [`RecursiveUnion`] feeds the rows of one round to the
//! next through a working table, which [`WorkScan`] reads.

use super::distinct::{column_types, fit};
use super::{Builder, Input, Operator};
use crate::env::Env;
use crate::groups::Groups;
use crate::spill::spool::{Reader, Spool};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use pg_plan::{CteId, Node, Plan};
use pg_types::{Datum, SqlError, SqlResult};

/// A common table expression while it runs.
pub struct CteSlot {
    /// Absent while it runs, so that it can be handed the environment.
    operator: Option<Input>,
    rows: Spool,
    done: bool,
    /// The outer values of its WITH.
    frame: Vec<Datum>,
    /// It changes a table.
    modifies: bool,
}

/// What the numbers of common table expressions mean at a place of the plan.
#[derive(Default)]
pub struct CteNames {
    /// Slots, by number: (number, slot, width).
    slots: Vec<(CteId, usize, usize)>,
    /// Enclosing recursive terms: (number, working table, width).
    recursive: Vec<(CteId, usize, usize)>,
}

/// The operator for a scan of `id`: of the working table inside the recursive
/// term of `id`, else of the expression.
///
/// # Errors
/// XX000 when `id` is not known.
pub fn scan(id: CteId, builder: &mut Builder) -> SqlResult<Input> {
    if let Some((_, table, width)) = builder.names.recursive.iter().rev().find(|r| r.0 == id) {
        return Ok(Box::new(WorkScan {
            table: *table,
            width: *width,
            reader: Reader::default(),
            row: Vec::new(),
        }));
    }
    match builder.names.slots.iter().rev().find(|s| s.0 == id) {
        Some((_, slot, width)) => Ok(Box::new(CteScan {
            slot: *slot,
            width: *width,
            reader: Reader::default(),
            row: Vec::new(),
        })),
        None => Err(SqlError::internal(format!(
            "the plan scans an unknown common table expression {id}"
        ))),
    }
}

fn modifies(plan: &Plan) -> bool {
    match &*plan.node {
        Node::Insert { .. } | Node::Update { .. } | Node::Delete { .. } => true,
        Node::Project { input, .. } | Node::Filter { input, .. } => modifies(input),
        _ => false,
    }
}

/// Opens common table expressions for its body.
pub struct With {
    slots: Vec<usize>,
    body: Input,
    opened: bool,
    ended: bool,
}

impl With {
    /// Compiles the expressions and the body.
    ///
    /// # Errors
    /// As the plans inside.
    pub fn compile(ctes: &[(CteId, Plan)], body: &Plan, builder: &mut Builder) -> SqlResult<Self> {
        let mut slots = Vec::with_capacity(ctes.len());
        for (id, plan) in ctes {
            let operator = builder.build(plan)?;
            let width = operator.width();
            let slot = builder.ctes.len();
            builder.ctes.push(CteSlot {
                operator: Some(operator),
                rows: Spool::new(width),
                done: false,
                frame: Vec::new(),
                modifies: modifies(plan),
            });
            builder.names.slots.push((*id, slot, width));
            slots.push(slot);
        }
        Ok(With {
            slots,
            body: builder.build(body)?,
            opened: false,
            ended: false,
        })
    }

    fn open(&mut self, env: &mut Env<'_>) {
        self.opened = true;
        for &slot in &self.slots {
            let frame = env.outer.clone();
            if let Some(slot) = env.run.ctes.get_mut(slot) {
                slot.frame = frame;
            }
        }
    }

    fn end(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        if core::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        for &slot in &self.slots {
            if env.run.ctes.get(slot).is_some_and(|s| s.modifies) {
                while advance(slot, env)? {
                    env.tick()?;
                }
            }
        }
        Ok(())
    }
}

/// Runs an expression for one more row.
fn advance(slot: usize, env: &mut Env<'_>) -> SqlResult<bool> {
    let Some(found) = env.run.ctes.get_mut(slot) else {
        return Ok(false);
    };
    if found.done {
        return Ok(false);
    }
    let Some(mut operator) = found.operator.take() else {
        return Err(SqlError::internal("a common table expression reads itself"));
    };
    let mut frame = core::mem::take(&mut found.frame);
    core::mem::swap(&mut env.outer, &mut frame);
    let result = operator.next(env);
    core::mem::swap(&mut env.outer, &mut frame);
    let run = &mut *env.run;
    if let Some(found) = run.ctes.get_mut(slot) {
        found.frame = frame;
        match &result {
            Ok(true) => found
                .rows
                .push(operator.row(), env.spill, &mut run.memory)?,
            _ => found.done = true,
        }
        found.operator = Some(operator);
    }
    result
}

impl Operator for With {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !self.opened {
            self.open(env);
        }
        if self.body.next(env)? {
            return Ok(true);
        }
        self.end(env)?;
        Ok(false)
    }

    fn row(&self) -> &[Datum] {
        self.body.row()
    }

    fn width(&self) -> usize {
        self.body.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.opened = false;
        self.ended = false;
        for &slot in &self.slots {
            let run = &mut *env.run;
            let Some(found) = run.ctes.get_mut(slot) else {
                continue;
            };
            found.rows.clear(&mut run.memory);
            found.done = false;
            if let Some(mut operator) = found.operator.take() {
                let result = operator.reset(env);
                if let Some(found) = env.run.ctes.get_mut(slot) {
                    found.operator = Some(operator);
                }
                result?;
            }
        }
        self.body.reset(env)
    }

    fn affected(&self) -> u64 {
        self.body.affected()
    }
}

/// Reads the rows of an expression.
struct CteScan {
    slot: usize,
    width: usize,
    reader: Reader,
    row: Vec<Datum>,
}

impl Operator for CteScan {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        env.tick()?;
        let known = env.run.ctes.get(self.slot).map_or(0, |s| s.rows.len());
        if self.reader.at() >= known && !advance(self.slot, env)? {
            return Ok(false);
        }
        match env.run.ctes.get_mut(self.slot) {
            Some(slot) => slot.rows.next(&mut self.reader, &mut self.row),
            None => Ok(false),
        }
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.width
    }

    fn reset(&mut self, _env: &mut Env<'_>) -> SqlResult<()> {
        self.reader = Reader::default();
        Ok(())
    }
}

/// Reads the rows of the last round.
struct WorkScan {
    table: usize,
    width: usize,
    reader: Reader,
    row: Vec<Datum>,
}

impl Operator for WorkScan {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        env.tick()?;
        match env.run.working.get_mut(self.table) {
            Some(rows) => rows.next(&mut self.reader, &mut self.row),
            None => Ok(false),
        }
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.width
    }

    fn reset(&mut self, _env: &mut Env<'_>) -> SqlResult<()> {
        self.reader = Reader::default();
        Ok(())
    }
}

/// WITH RECURSIVE.
pub struct RecursiveUnion {
    initial: Input,
    step: Input,
    table: usize,
    /// The rows given so far, for UNION.
    seen: Option<Groups>,
    /// Rows of the round that is running.
    next_round: Spool,
    stepping: bool,
    row: Vec<Datum>,
}

impl RecursiveUnion {
    /// Compiles both terms; scans of `id` in `step` read the working table.
    ///
    /// # Errors
    /// As the plans inside.
    pub fn compile(
        id: CteId,
        initial: &Plan,
        step: &Plan,
        all: bool,
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let types = column_types(initial);
        let initial = builder.build(initial)?;
        let width = initial.width();
        let table = builder.working.len();
        builder.working.push(width);
        builder.names.recursive.push((id, table, width));
        let step = builder.build(step);
        builder.names.recursive.pop();
        let seen = if all {
            None
        } else {
            Some(Groups::new(&fit(types, width)))
        };
        let next_round = Spool::new(width);
        Ok(RecursiveUnion {
            initial,
            step: step?,
            table,
            seen,
            next_round,
            stepping: false,
            row: Vec::new(),
        })
    }

    /// Makes the finished round the working table; false when it gave nothing.
    fn turn(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if self.next_round.is_empty() {
            return Ok(false);
        }
        let run = &mut *env.run;
        if let Some(working) = run.working.get_mut(self.table) {
            working.clear(&mut run.memory);
            core::mem::swap(working, &mut self.next_round);
        }
        self.step.reset(env)?;
        Ok(true)
    }
}

impl Operator for RecursiveUnion {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            env.tick()?;
            let source = if self.stepping {
                &mut self.step
            } else {
                &mut self.initial
            };
            if !source.next(env)? {
                self.stepping = true;
                if !self.turn(env)? {
                    return Ok(false);
                }
                continue;
            }
            let row = source.row();
            if let Some(seen) = &mut self.seen
                && !seen.enter(row, &mut env.run.memory)?.1
            {
                continue;
            }
            self.row.clear();
            self.row.extend_from_slice(row);
            let memory = &mut env.run.memory;
            self.next_round.push(&self.row, env.spill, memory)?;
            return Ok(true);
        }
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.initial.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.stepping = false;
        let run = &mut *env.run;
        self.next_round.clear(&mut run.memory);
        if let Some(working) = run.working.get_mut(self.table) {
            working.clear(&mut run.memory);
        }
        if let Some(seen) = &mut self.seen {
            seen.clear(&mut run.memory);
        }
        self.initial.reset(env)?;
        self.step.reset(env)
    }
}
