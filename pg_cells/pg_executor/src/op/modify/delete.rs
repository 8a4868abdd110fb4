//! [`RowDeleter`]: DELETE, row by row; concurrent changes are met as by UPDATE.

use super::RowChange;
use super::update::Versions;
use crate::env::Env;
use crate::op::Builder;
use crate::store::Changed;
use alloc::vec::Vec;
use pg_plan::Node;
use pg_types::{Datum, SqlError, SqlResult};

/// Deletes rows. Index entries stay until VACUUM takes them.
pub struct RowDeleter {
    file: u32,
    versions: Versions,
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
            ..
        } = node
        else {
            return Err(SqlError::internal("not a DELETE"));
        };
        let versions = Versions::compile(relation, *row_id, recheck.as_ref(), builder)?;
        Ok(RowDeleter {
            file: relation.file,
            versions,
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
        let Some(mut id) = self.versions.take(row) else {
            return Ok(false);
        };
        loop {
            match env.store.delete(self.file, id)? {
                Changed::Done { .. } => break,
                Changed::Concurrent { newest } => {
                    env.tick()?;
                    if !self.versions.renew(newest, env)? {
                        return Ok(false);
                    }
                    id = newest;
                }
                Changed::SelfModified | Changed::Deleted | Changed::Skipped => return Ok(false),
            }
        }
        if let Some(shown) = shown {
            self.versions.old(shown);
            shown.extend_from_slice(&self.versions.row);
        }
        Ok(true)
    }
}
