//! What a serializable transaction's reading tells: which rows it saw, and whose
//! changes it did not see. Called with the page latched, so that a writer comes
//! either before, and is met here, or after, and meets the lock.

use crate::page::version;
use alloc::vec::Vec;
use pg_heap_port::{FileId, HeapError, Tid};
use pg_page::Page;
use pg_page::slots::{self, State};
use pg_page::tuple_header::{TupleHeader, bits};
use pg_txn_port::{Reads, Snapshot, Xid};

/// The transaction whose work on a version the snapshot does not show, if there
/// is one: who ended a version that is seen, or made one that is not.
fn unseen(header: &TupleHeader, snapshot: &Snapshot, visible: bool) -> Option<Xid> {
    let by = if visible {
        if header.xmax == 0 || header.infomask & (bits::XMAX_INVALID | bits::XMAX_LOCK_ONLY) != 0 {
            return None;
        }
        Xid(header.xmax)
    } else if header.has(bits::XMIN_ABORTED) {
        return None;
    } else {
        Xid(header.xmin)
    };
    (snapshot.is_running(by) && !snapshot.is_own(by)).then_some(by)
}

/// A version was looked at through an index.
#[cold]
pub fn read_row(
    reads: &Reads,
    snapshot: &Snapshot,
    file: FileId,
    tid: Tid,
    header: &TupleHeader,
    visible: bool,
) -> Result<(), HeapError> {
    let by = unseen(header, snapshot, visible);
    // What it wrote itself, nobody else can change before it has ended.
    let noted = visible && !snapshot.is_own(Xid(header.xmin));
    let place = noted.then_some((tid.block, tid.slot));
    Ok(reads.row(file.0, place, by.as_slice())?)
}

/// All versions of a page are looked at.
#[cold]
pub fn read_page(
    reads: &Reads,
    snapshot: &Snapshot,
    file: FileId,
    block: u32,
    page: &Page,
) -> Result<(), HeapError> {
    // Told already when all of the table is read.
    reads.page(file.0, block)?;
    let mut by: Vec<Xid> = Vec::new();
    for (number, pointer) in slots::pointers(page) {
        if pointer.state == State::Normal
            && let Some(found) = version(page, number)
        {
            let header = &found.header;
            // One that had not begun is not seen, one that had not ended neither:
            // no need to ask what became of them.
            let made = Xid(header.xmin);
            let visible = snapshot.is_own(made) || !snapshot.is_running(made);
            by.extend(unseen(header, snapshot, visible));
        }
    }
    by.sort_unstable();
    by.dedup();
    if by.is_empty() {
        return Ok(());
    }
    Ok(reads.row(file.0, None, &by)?)
}
