//! Open transactions, as the views over the running system show them.

use crate::manager::TXN;
use crate::{LockMode, LockTarget, RowKey, TxnError, Xid};
use alloc::vec::Vec;

/// The place of an open transaction, or of a session's own locks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its number.
    pub slot: u32,
    /// Which use of the number: no other has the same.
    pub serial: u64,
    /// Its ids, ascending.
    pub xids: Vec<Xid>,
    /// The oldest id that a snapshot of its still cares for.
    pub xmin: Option<Xid>,
    /// What it holds: modes as bits, and whether that is noted with it alone.
    pub locks: Vec<(LockTarget, u8, bool)>,
    /// What it waits for.
    pub waits: Option<WaitsFor>,
    /// The places it waits for.
    pub blockers: Vec<u32>,
    /// The place of its session's locks.
    pub session: Option<u32>,
}

/// What a transaction waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitsFor {
    /// The end of an id.
    Xid(Xid),
    /// A lock.
    Lock(LockTarget, LockMode),
}

/// What a lock is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Locked {
    /// A relation, by its object id.
    Relation(u32),
    /// A row; which one tells [`LockTarget::row_in`].
    Row,
    /// An application's key.
    Advisory(u64),
    /// An application's pair of keys.
    AdvisoryPair(u32, u32),
}

impl LockTarget {
    /// The page and slot of the row, if it is one of this file's.
    #[must_use]
    pub fn row_in(self, file: u32) -> Option<(u32, u16)> {
        // What a row's target is made of, undone.
        let none = RowKey {
            file,
            block: 0,
            slot: 0,
        };
        let place = self.bits() ^ LockTarget::row(none).bits();
        let block = u32::try_from(place >> 16).ok()?;
        (self.what() == Locked::Row).then_some((block, place as u16))
    }
}

/// All open transactions, and sessions with locks of their own.
///
/// # Errors
/// When nobody stands behind the port.
pub fn processes() -> Result<Vec<Process>, TxnError> {
    Ok(TXN.enter()?.processes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_in_its_file_alone() {
        let row = LockTarget::row(RowKey {
            file: 16_400,
            block: 77,
            slot: 3,
        });
        assert_eq!(row.row_in(16_400), Some((77, 3)));
        assert_eq!(row.row_in(16_401), None);
        assert_eq!(LockTarget::relation(5).row_in(0), None);
    }
}
