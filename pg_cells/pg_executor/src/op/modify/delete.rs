//! [`RowDeleter`]: DELETE, row by row; concurrent changes are met as by UPDATE.

use super::update::Versions;
use super::{ForeignKeys, RowChange};
use crate::env::Env;
use crate::op::Builder;
use crate::store::Changed;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Node, Relation, RowChanges};
use pg_types::{Datum, SqlError, SqlResult};

/// Deletes rows. Index entries stay until VACUUM takes them.
pub struct RowDeleter {
    file: u32,
    versions: Versions,
    keys: ForeignKeys,
    old: Vec<Datum>,
    relation: Arc<Relation>,
    /// Rows deleted since the last count.
    done: u64,
}

impl RowDeleter {
    /// For a Delete node; its input is the caller's business.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(node: &Node, builder: &mut Builder) -> SqlResult<Self> {
        let Node::Delete {
            relation,
            row_id,
            recheck,
            reached,
            ..
        } = node
        else {
            return Err(SqlError::internal("not a DELETE"));
        };
        let versions = Versions::compile(relation, *row_id, recheck.as_ref(), builder)?;
        Ok(RowDeleter {
            file: relation.file,
            versions,
            keys: ForeignKeys::new(relation, reached.as_slice().into()),
            old: Vec::new(),
            relation: relation.clone(),
            done: 0,
        })
    }
}

impl RowChange for RowDeleter {
    fn change(
        &mut self,
        row: &[Datum],
        shown: Option<&mut Vec<Datum>>,
        env: &mut Env<'_>,
    ) -> SqlResult<bool> {
        let Some(mut tid) = self.versions.tid(row) else {
            return Ok(false);
        };
        let mut renewed = false;
        loop {
            match env.store.delete(self.file, tid)? {
                Changed::Done { .. } => break,
                Changed::Concurrent { newest } => {
                    env.tick()?;
                    if !renewed {
                        self.versions.take(row);
                        renewed = true;
                    }
                    if !self.versions.renew(newest, env)? {
                        return Ok(false);
                    }
                    tid = newest;
                }
                Changed::SelfModified | Changed::Deleted | Changed::Skipped => return Ok(false),
            }
        }
        self.done += 1;
        let current = if renewed {
            self.versions.row.as_slice()
        } else {
            row
        };
        if self.keys.needs_old() {
            self.versions.old(current, &mut self.old);
            self.keys.deleted(&self.old);
        }
        if let Some(shown) = shown {
            self.versions.old(current, shown);
            shown.extend_from_slice(current);
        }
        Ok(true)
    }

    fn foreign_keys(&mut self) -> &mut ForeignKeys {
        &mut self.keys
    }

    fn finish(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let done = RowChanges {
            deleted: core::mem::take(&mut self.done),
            ..RowChanges::default()
        };
        super::count(&self.relation, done, 0, env);
        self.keys.settle(env)
    }

    fn clear(&mut self) {
        self.done = 0;
        self.keys.clear();
    }
}
