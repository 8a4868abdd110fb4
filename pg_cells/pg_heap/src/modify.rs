//! Updates and deletes.

use crate::all_visible;
use crate::insert::{check_len, new_header, page_with_room};
use crate::page::{self, Version, add_item, slot_for, version, write_end};
use crate::prune;
use crate::space::{FileSpace, Space};
use crate::verdict::{Intent, Others, RowQueue, Verdict, judge, refuse_stale};
use pg_buffer_port::{BufferError, MiniTx, PageId, Slot};
use pg_heap_port::{FileId, HeapError, RowLock, Tid, UpdateOutcome};
use pg_page::tuple_header::bits;
use pg_txn_port::{RowHolder, RowKey, TXN, Transaction, TxnError, Xid};

/// The version's address in the lock table.
pub fn row_key(file: FileId, tid: Tid) -> RowKey {
    RowKey {
        file: file.0,
        block: tid.block,
        slot: tid.slot,
    }
}

/// See [`pg_heap_port::update`].
pub fn update(
    space: &Space,
    tx: &mut Transaction,
    file: FileId,
    tid: Tid,
    row: &[u8],
    keep_index_keys: bool,
) -> Result<UpdateOutcome, HeapError> {
    check_len(row)?;
    let lock = if keep_index_keys {
        RowLock::NoKeyUpdate
    } else {
        RowLock::Update
    };
    let intent = Intent {
        lock,
        fresh_too: false,
    };
    change(tx, file, tid, intent, |tx, mtx, target| {
        let space = space.file(file);
        replace(&space, tx, mtx, &target, row, keep_index_keys)
    })
}

/// See [`pg_heap_port::delete`].
pub fn delete(tx: &mut Transaction, file: FileId, tid: Tid) -> Result<UpdateOutcome, HeapError> {
    let intent = Intent {
        lock: RowLock::Update,
        fresh_too: true,
    };
    change(tx, file, tid, intent, |tx, mtx, target| {
        end_version(tx, mtx, &target, RowLock::Update, None)?;
        Ok(UpdateOutcome::Updated { tid, hot: false })
    })
}

/// A version that may be changed now, on its latched page.
pub struct Target {
    /// Where.
    pub key: RowKey,
    /// By whom.
    pub xid: Xid,
    /// The latched page.
    pub page: Slot,
    /// The version.
    pub version: Version,
    /// Who else holds it.
    pub others: Others,
}

impl Target {
    fn tid(&self) -> Tid {
        Tid::new(self.key.block, self.key.slot)
    }
}

/// Waits until the version may be changed as intended, and lets `apply` do it.
fn change(
    tx: &mut Transaction,
    file: FileId,
    tid: Tid,
    intent: Intent,
    apply: impl Fn(&Transaction, &mut MiniTx, Target) -> Result<UpdateOutcome, HeapError>,
) -> Result<UpdateOutcome, HeapError> {
    let mut queue = RowQueue::default();
    let outcome = change_queued(tx, file, tid, intent, apply, &mut queue);
    queue.leave(tx)?;
    outcome
}

fn change_queued(
    tx: &mut Transaction,
    file: FileId,
    tid: Tid,
    intent: Intent,
    apply: impl Fn(&Transaction, &mut MiniTx, Target) -> Result<UpdateOutcome, HeapError>,
    queue: &mut RowQueue,
) -> Result<UpdateOutcome, HeapError> {
    let xid = tx.ensure_xid()?;
    tx.mark_command_used();
    let key = row_key(file, tid);
    loop {
        let mut mtx = tx.change_pages(xid.0);
        let page = mtx.latch(PageId::new(file, tid.block))?;
        let version = version(mtx.page(page), tid.slot).ok_or(HeapError::NoSuchRow(tid))?;
        let (verdict, others) = judge(tx, key, &version, intent)?;
        match verdict {
            Verdict::Free => {
                // Before the check: who reads the map instead of the page has
                // told so with the map's page latched.
                all_visible::clear(&mut mtx, page, true)?;
                tx.check_write(file.0, Some(tid.block), Some(tid.slot))?;
                let target = Target {
                    key,
                    xid,
                    page,
                    version,
                    others,
                };
                let outcome = apply(tx, &mut mtx, target)?;
                mtx.commit()?;
                return Ok(outcome);
            }
            Verdict::Wait(other) => {
                drop(mtx);
                queue.wait(tx, key, other)?;
            }
            Verdict::Invisible => return Err(HeapError::NoSuchRow(tid)),
            Verdict::SelfModified => return Ok(UpdateOutcome::SelfModified),
            Verdict::Deleted => {
                refuse_stale(tx, TxnError::ConcurrentDelete)?;
                return Ok(UpdateOutcome::Deleted);
            }
            Verdict::Replaced(newest) => {
                refuse_stale(tx, TxnError::Serialization)?;
                return Ok(UpdateOutcome::Concurrent { newest });
            }
        }
    }
}

/// Puts the new version beside the old one if there is room, else on another
/// page, and links them.
fn replace(
    space: &FileSpace,
    tx: &Transaction,
    mtx: &mut MiniTx,
    target: &Target,
    row: &[u8],
    keep_index_keys: bool,
) -> Result<UpdateOutcome, HeapError> {
    let file = FileId(target.key.file);
    let step = target.version.header.next_step();
    let number = prune::for_change(mtx, target.page, row.len(), keep_index_keys && step == 0)?;
    let (page, tid, hot) = match number {
        Some(number) => {
            let tid = Tid::new(target.key.block, number);
            (target.page, tid, keep_index_keys)
        }
        None => {
            let except = Some(target.key.block);
            let (page, block) = page_with_room(space, tx, mtx, file, row.len(), except)?;
            let number = slot_for(mtx.page(page), row.len()).ok_or(BufferError::Corrupt {
                page: PageId::new(file, block),
            })?;
            (page, Tid::new(block, number), false)
        }
    };
    let mut marks = if hot { bits::HEAP_ONLY | step } else { 0 };
    if carry_holders(tx, target, row_key(file, tid))? {
        marks |= bits::MORE_HOLDERS;
    }
    add_item(
        mtx,
        page,
        tid.slot,
        &new_header(tx, target.xid, tid, marks),
        row,
    );
    let lock = if keep_index_keys {
        RowLock::NoKeyUpdate
    } else {
        RowLock::Update
    };
    end_version(tx, mtx, target, lock, Some((tid, hot)))?;
    Ok(UpdateOutcome::Updated { tid, hot })
}

/// Others who hold a lock on the row hold it on the new version too. True when
/// there are any.
fn carry_holders(tx: &Transaction, target: &Target, key: RowKey) -> Result<bool, HeapError> {
    let holders = target.others.xmax.iter().chain(&target.others.table);
    let mut any = false;
    for holder in holders.filter(|h| !tx.is_own(h.xid)) {
        TXN.enter()?.add_row_holder(key, *holder)?;
        any = true;
    }
    Ok(any)
}

/// Writes who ended the version, and its successor if it has one. Pruning may
/// have moved the version since it was judged.
fn end_version(
    tx: &Transaction,
    mtx: &mut MiniTx,
    target: &Target,
    lock: RowLock,
    next: Option<(Tid, bool)>,
) -> Result<(), HeapError> {
    let mut ended = version(mtx.page(target.page), target.key.slot)
        .ok_or(HeapError::NoSuchRow(target.tid()))?;
    let more = keep_xmax(target)? || ended.header.has(bits::MORE_HOLDERS);
    let header = &mut ended.header;
    header.xmax = target.xid.0;
    header.cmax = tx.command().0;
    let mut marks = (lock as u16) << bits::LOCK_SHIFT;
    if more {
        marks |= bits::MORE_HOLDERS;
    }
    if let Some((tid, hot)) = next {
        (header.next_block, header.next_slot) = (tid.block, tid.slot);
        marks |= bits::UPDATED;
        if hot {
            marks |= bits::HOT_UPDATED;
        }
    } else {
        (header.next_block, header.next_slot) = (target.key.block, target.key.slot);
    }
    header.infomask = header.infomask & !bits::ABOUT_XMAX | marks;
    write_end(mtx, target.page, &ended);
    page::lower_prune_hint(mtx, target.page, target.xid.0);
    Ok(())
}

/// Moves a holder that xmax names into the lock table, so that xmax is free.
/// True when there was one.
pub fn keep_xmax(target: &Target) -> Result<bool, HeapError> {
    match target.others.xmax {
        Some(RowHolder { xid, .. }) if xid == target.xid => Ok(false),
        Some(holder) => {
            TXN.enter()?.add_row_holder(target.key, holder)?;
            Ok(true)
        }
        None => Ok(false),
    }
}
