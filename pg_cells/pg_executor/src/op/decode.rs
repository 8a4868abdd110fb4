//! From a stored row's bytes to the columns a scan gives.

use crate::store::{Tid, tid_datum};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::Relation;
use pg_types::tuple::TupleError;
use pg_types::{Datum, SqlError, SqlResult, SqlState, Tuple, TupleDesc};

/// Decodes the chosen columns of a table's rows, then their ids if wanted.
pub struct Decoder {
    desc: Arc<TupleDesc>,
    columns: Vec<usize>,
    row_id: bool,
    how: How,
    /// Which attributes are needed.
    needed: Vec<bool>,
    scratch: Vec<Datum>,
}

enum How {
    /// Nothing is needed.
    None,
    /// Few: each is asked for.
    Single,
    /// All, in order.
    All,
    /// Decoded into the scratch row and taken from there.
    Some,
}

/// Up to so many columns are asked for one by one.
const FEW: usize = 2;

impl Decoder {
    /// A decoder for these columns of a table.
    #[must_use]
    pub fn new(relation: &Relation, columns: &[usize], row_id: bool) -> Self {
        let desc = relation.desc.clone();
        let mut needed = alloc::vec![false; desc.len()];
        for &column in columns {
            if let Some(flag) = needed.get_mut(column) {
                *flag = true;
            }
        }
        let all = columns.len() == desc.len() && columns.iter().enumerate().all(|(i, c)| i == *c);
        let how = match columns.len() {
            0 => How::None,
            n if n <= FEW => How::Single,
            _ if all => How::All,
            _ => How::Some,
        };
        Decoder {
            desc,
            columns: columns.to_vec(),
            row_id,
            how,
            needed,
            scratch: Vec::new(),
        }
    }

    /// A decoder for all columns.
    #[must_use]
    pub fn all(relation: &Relation, row_id: bool) -> Self {
        let columns: Vec<usize> = (0..relation.desc.len()).collect();
        Decoder::new(relation, &columns, row_id)
    }

    /// Columns of its rows.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len() + usize::from(self.row_id)
    }

    /// Decodes a row into `out`. What it held is overwritten in place: rows of a scan
    /// have the same types each time.
    ///
    /// # Errors
    /// XX001 when the bytes are not a row of the table.
    #[inline]
    pub fn decode(&mut self, bytes: &[u8], id: Tid, out: &mut Vec<Datum>) -> SqlResult<()> {
        let width = self.width();
        if out.len() != width {
            out.clear();
            out.resize(width, Datum::Null);
        }
        let (columns, last) = out.split_at_mut(self.columns.len());
        if self.columns_into(bytes, columns).is_err() {
            return Err(damaged(id));
        }
        if let [last] = last {
            *last = tid_datum(id);
        }
        Ok(())
    }

    #[inline]
    fn columns_into(&mut self, bytes: &[u8], out: &mut [Datum]) -> Result<(), TupleError> {
        match self.how {
            How::None => {}
            How::Single => {
                let tuple = Tuple::new(&self.desc, bytes)?;
                for (slot, &column) in out.iter_mut().zip(&self.columns) {
                    tuple.get_into(column, slot)?;
                }
            }
            How::All => Tuple::new(&self.desc, bytes)?.decode_slots(out, &[])?,
            How::Some => {
                Tuple::new(&self.desc, bytes)?.decode_into(&mut self.scratch, &self.needed)?;
                for (slot, &column) in out.iter_mut().zip(&self.columns) {
                    *slot = self.scratch.get(column).cloned().unwrap_or_default();
                }
            }
        }
        Ok(())
    }
}

/// XX001: a stored row is not one of its table.
#[cold]
pub fn damaged(id: Tid) -> SqlError {
    SqlError::new(
        SqlState::DATA_CORRUPTED,
        alloc::format!(
            "the row ({},{}) does not have the shape of its table",
            id.block,
            id.slot
        ),
    )
}
