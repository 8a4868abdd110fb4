//! [`VirtualScan`]: rows of a built-in view (`pg_settings`, `pg_stat_activity`
//! ...), which the session or the catalog provides all at once.

use super::Operator;
use crate::env::Env;
use crate::expr::Code;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::Relation;
use pg_types::{Datum, SqlResult};

/// A scan of a built-in view.
pub struct VirtualScan {
    relation: Arc<Relation>,
    filter: Option<Code>,
    rows: Option<Vec<Vec<Datum>>>,
    /// The row after the current one.
    at: usize,
}

impl VirtualScan {
    /// A scan of all columns.
    pub fn new(relation: &Arc<Relation>, filter: Option<Code>) -> Self {
        VirtualScan {
            relation: relation.clone(),
            filter,
            rows: None,
            at: 0,
        }
    }
}

impl Operator for VirtualScan {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if self.rows.is_none() {
            self.rows = Some(match env.views.rows(&self.relation)? {
                Some(rows) => rows,
                None => env.store.virtual_rows(&self.relation)?,
            });
        }
        while let Some(row) = self.rows.as_ref().and_then(|r| r.get(self.at)) {
            self.at += 1;
            if let Some(filter) = &mut self.filter
                && !filter.is_true(row, env)?
            {
                continue;
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn row(&self) -> &[Datum] {
        let row = self
            .rows
            .as_ref()
            .and_then(|r| r.get(self.at.wrapping_sub(1)));
        row.map_or(&[], Vec::as_slice)
    }

    fn width(&self) -> usize {
        self.relation.desc.len()
    }

    fn reset(&mut self, _env: &mut Env<'_>) -> SqlResult<()> {
        self.rows = None;
        self.at = 0;
        Ok(())
    }
}
