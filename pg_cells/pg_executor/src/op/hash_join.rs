//! [`HashJoin`]: the right side goes into a hash table by its keys, each left
//! row looks its partners up. A key that is NULL has no partner.

use super::{Builder, Input, Operator};
use crate::env::Env;
use crate::expr::{Code, compile, compile_option, eval_all, type_of};
use crate::rows::RowBuffer;
use crate::sort_key::{hash_row, same_group};
use alloc::vec::Vec;
use hashbrown::{DefaultHashBuilder, HashTable};
use pg_plan::{Join, JoinKind};
use pg_types::{Datum, Oid, SqlResult};

/// No further row in a chain.
const END: u32 = u32::MAX;

/// A join by equality of keys.
pub struct HashJoin {
    kind: JoinKind,
    left: Input,
    right: Input,
    left_keys: Vec<Code>,
    right_keys: Vec<Code>,
    types: Vec<Oid>,
    condition: Option<Code>,
    left_width: usize,
    right_width: usize,
    table: Table,
    state: State,
    /// The next partner to try of the present left row.
    partner: u32,
    matched: bool,
    keys: Vec<Datum>,
    row: Vec<Datum>,
}

/// The right side.
struct Table {
    rows: RowBuffer,
    keys: RowBuffer,
    /// The next row with the same keys.
    chain: Vec<u32>,
    /// Rows that found a partner, kept for right and full joins.
    matched: Vec<bool>,
    /// First row of each chain.
    heads: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Build,
    NeedLeft,
    Pairs,
    RightRest(usize),
    Done,
}

impl HashJoin {
    /// Compiles a join with hash keys.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(join: &Join, builder: &mut Builder) -> SqlResult<Self> {
        let left = builder.build(&join.left)?;
        let right = builder.build(&join.right)?;
        let (left_width, right_width) = (left.width(), right.width());
        let mut left_keys = Vec::new();
        let mut right_keys = Vec::new();
        let mut types = Vec::new();
        for (of_left, of_right) in &join.hash_keys {
            types.push(type_of(of_left));
            left_keys.push(compile(of_left, builder)?);
            right_keys.push(compile(of_right, builder)?);
        }
        let table = Table {
            rows: RowBuffer::new(right_width),
            keys: RowBuffer::new(types.len()),
            chain: Vec::new(),
            matched: Vec::new(),
            heads: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        };
        Ok(HashJoin {
            kind: join.kind,
            left,
            right,
            left_keys,
            right_keys,
            types,
            condition: compile_option(join.condition.as_ref(), builder)?,
            left_width,
            right_width,
            table,
            state: State::Build,
            partner: END,
            matched: false,
            keys: Vec::new(),
            row: Vec::new(),
        })
    }

    fn build(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let keep_all = matches!(self.kind, JoinKind::Right | JoinKind::Full);
        while self.right.next(env)? {
            env.tick()?;
            eval_all(&mut self.right_keys, self.right.row(), env, &mut self.keys)?;
            let null = self.keys.iter().any(Datum::is_null);
            if null && !keep_all {
                continue;
            }
            let at = self.table.rows.len() as u32;
            self.table
                .rows
                .push(self.right.row(), &mut env.run.memory)?;
            self.table.keys.push(&self.keys, &mut env.run.memory)?;
            self.table.chain.push(END);
            if keep_all {
                self.table.matched.push(false);
            }
            if !null {
                self.table.link(at, &self.types);
            }
        }
        Ok(())
    }

    /// Takes the next left row and finds its first partner.
    fn next_left(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !self.left.next(env)? {
            return Ok(false);
        }
        self.row.clear();
        self.row.extend_from_slice(self.left.row());
        eval_all(&mut self.left_keys, self.left.row(), env, &mut self.keys)?;
        self.matched = false;
        self.partner = if self.keys.iter().any(Datum::is_null) {
            END
        } else {
            self.table.find(&self.keys, &self.types)
        };
        Ok(true)
    }

    /// Tries partners; true when the row is to be given.
    fn pairs(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        while self.partner != END {
            env.tick()?;
            let at = self.partner as usize;
            self.partner = self.table.chain[at];
            self.row.truncate(self.left_width);
            self.row.extend_from_slice(self.table.rows.row(at));
            if let Some(condition) = &mut self.condition
                && !condition.is_true(&self.row, env)?
            {
                continue;
            }
            self.matched = true;
            if let Some(flag) = self.table.matched.get_mut(at) {
                *flag = true;
            }
            match self.kind {
                JoinKind::Semi => {
                    self.row.truncate(self.left_width);
                    self.state = State::NeedLeft;
                }
                JoinKind::Anti => {
                    self.state = State::NeedLeft;
                    return Ok(false);
                }
                _ => {}
            }
            return Ok(true);
        }
        self.state = State::NeedLeft;
        self.row.truncate(self.left_width);
        Ok(match self.kind {
            JoinKind::Left | JoinKind::Full if !self.matched => {
                self.row
                    .resize(self.left_width + self.right_width, Datum::Null);
                true
            }
            JoinKind::Anti => !self.matched,
            _ => false,
        })
    }

    fn right_rest(&mut self, from: usize) -> bool {
        let Some(at) = (from..self.table.rows.len()).find(|i| !self.table.matched[*i]) else {
            self.state = State::Done;
            return false;
        };
        self.row.clear();
        self.row.resize(self.left_width, Datum::Null);
        self.row.extend_from_slice(self.table.rows.row(at));
        self.state = State::RightRest(at + 1);
        true
    }
}

impl Table {
    /// Puts row `at` in front of the chain of its keys.
    fn link(&mut self, at: u32, types: &[Oid]) {
        let Table {
            keys,
            chain,
            heads,
            hasher,
            ..
        } = self;
        let key = keys.row(at as usize);
        let hash = hash_row(hasher, types, key);
        match heads.find_mut(hash, |h| same_group(types, keys.row(*h as usize), key)) {
            Some(head) => {
                // Behind the head, so that the table need not change.
                chain[at as usize] = chain[*head as usize];
                chain[*head as usize] = at;
            }
            None => {
                heads.insert_unique(hash, at, |h| hash_row(hasher, types, keys.row(*h as usize)));
            }
        }
    }

    fn find(&self, key: &[Datum], types: &[Oid]) -> u32 {
        let hash = hash_row(&self.hasher, types, key);
        let found = self
            .heads
            .find(hash, |h| same_group(types, self.keys.row(*h as usize), key));
        found.copied().unwrap_or(END)
    }
}

impl Operator for HashJoin {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            match self.state {
                State::Build => {
                    self.build(env)?;
                    self.state = State::NeedLeft;
                }
                State::NeedLeft => {
                    let empty = self.table.rows.is_empty();
                    if empty
                        && matches!(
                            self.kind,
                            JoinKind::Inner | JoinKind::Semi | JoinKind::Right
                        )
                    {
                        self.state = State::Done;
                    } else if self.next_left(env)? {
                        self.state = State::Pairs;
                    } else if matches!(self.kind, JoinKind::Right | JoinKind::Full) {
                        self.state = State::RightRest(0);
                    } else {
                        self.state = State::Done;
                    }
                }
                State::Pairs => {
                    if self.pairs(env)? {
                        return Ok(true);
                    }
                }
                State::RightRest(from) => return Ok(self.right_rest(from)),
                State::Done => return Ok(false),
            }
        }
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        match self.kind {
            JoinKind::Semi | JoinKind::Anti => self.left_width,
            _ => self.left_width + self.right_width,
        }
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.state = State::Build;
        self.partner = END;
        self.left.reset(env)?;
        self.right.reset(env)?;
        let memory = &mut env.run.memory;
        self.table.rows.clear(memory);
        self.table.keys.clear(memory);
        self.table.chain.clear();
        self.table.matched.clear();
        self.table.heads.clear();
        Ok(())
    }
}
