//! Cursors.
//!
//! Forward, a scan goes along the right links: what splits after we have read a
//! page goes to its right, and is met there only if it was not on the page when
//! we read it. A link is kept between calls with the position where the page
//! begins: if the page has been given back meanwhile, the scan goes down from the
//! root to that position. Backward there is no link to follow: the scan goes down from the
//! root again, to the last page before the bound it has reached. That is also
//! right whatever has split meanwhile, and costs one descent a page.

use crate::descend::{corrupt, descend, leaf};
use crate::node::{Node, Position};
use core::ops::Bound;
use pg_btree_port::{Cursor, EntryBatch, FileId, IndexError, NextPage, Place, Tid};

/// See [`pg_btree_port::next_batch`].
pub fn next_batch(
    file: FileId,
    cursor: &mut Cursor,
    batch: &mut EntryBatch,
) -> Result<bool, IndexError> {
    batch.clear();
    // A page may have nothing for us: emptied by a vacuum.
    while batch.is_empty() {
        if cursor.place == Place::End {
            return Ok(false);
        }
        cursor.place = if cursor.backward {
            backward(file, cursor, batch)?
        } else {
            forward(file, cursor, batch)?
        };
    }
    Ok(true)
}

/// The position at which a scan of the range begins.
fn lower(cursor: &Cursor) -> Position<'_> {
    match &cursor.lower {
        Bound::Included(key) => Position::before(key),
        Bound::Excluded(key) => Position::behind(key),
        Bound::Unbounded => Position::LEAST,
    }
}

/// The position before which it ends; none for the end of the tree.
fn upper(cursor: &Cursor) -> Option<Position<'_>> {
    match &cursor.upper {
        Bound::Included(key) => Some(Position::behind(key)),
        Bound::Excluded(key) => Some(Position::before(key)),
        Bound::Unbounded => None,
    }
}

fn give(batch: &mut EntryBatch, at: Position<'_>, want_keys: bool) {
    let tid = Tid::unpack(at.tid);
    if want_keys {
        batch.push_with_key(tid, at.key);
    } else {
        batch.push(tid);
    }
}

/// Notes whose rows everyone sees. With the entries' page latched: as long as an
/// entry is there, its row's slot has not been given to another row.
fn note_visible(cursor: &Cursor, batch: &mut EntryBatch) -> Result<(), IndexError> {
    match cursor.heap {
        Some(heap) => {
            let (tids, seen) = (&batch.tids, &mut batch.all_visible);
            Ok(pg_heap_port::all_visible(
                heap,
                tids,
                cursor.reads.as_ref(),
                seen,
            )?)
        }
        None => Ok(()),
    }
}

fn forward(file: FileId, cursor: &Cursor, batch: &mut EntryBatch) -> Result<Place, IndexError> {
    let from = lower(cursor);
    let (link, first) = match &cursor.place {
        Place::Page(next) => {
            let key = &next.low;
            let tid = next.tid;
            (Some((next.block, next.since)), Position { key, tid })
        }
        _ => (None, from),
    };
    let (page, block, since) = leaf(file, link, first)?;
    if let Some(reads) = &cursor.reads {
        reads.page(file.0, block)?;
    }
    let node = Node::new(&page).ok_or_else(|| corrupt(file, block))?;
    let to = upper(cursor);
    for index in node.count_before(first)..node.len() {
        let at = node.position(index);
        if to.is_some_and(|to| at >= to) {
            note_visible(cursor, batch)?;
            return Ok(Place::End);
        }
        if !node.is_killed(index) {
            give(batch, at, cursor.want_keys);
        }
    }
    note_visible(cursor, batch)?;
    batch.page = Some((block, since));
    Ok(match (node.high(), node.right()) {
        (Some(high), Some(right)) if to.is_none_or(|to| high < to) => Place::Page(NextPage {
            block: right,
            since,
            low: high.key.to_vec(),
            tid: high.tid,
        }),
        _ => Place::End,
    })
}

fn backward(file: FileId, cursor: &Cursor, batch: &mut EntryBatch) -> Result<Place, IndexError> {
    // No key is longer than a page, so this is behind all of them.
    let last = [0xFF; 2 * pg_btree_port::MAX_KEY];
    let to = match &cursor.place {
        Place::Before { key, tid } => Position { key, tid: *tid },
        _ => upper(cursor).unwrap_or(Position::behind(&last)),
    };
    let (page, path) = descend(file, to, true, 0)?;
    if let Some(reads) = &cursor.reads {
        reads.page(file.0, path.block)?;
    }
    let node = Node::new(&page).ok_or_else(|| corrupt(file, path.block))?;
    let (from, low) = (lower(cursor), path.low.position());
    batch.page = Some((path.block, path.since));
    for index in (0..node.count_before(to)).rev() {
        let at = node.position(index);
        if at < from {
            note_visible(cursor, batch)?;
            return Ok(Place::End);
        }
        // It has taken over what was before it since we were above: that is for
        // the next step.
        if at < low {
            break;
        }
        if !node.is_killed(index) {
            give(batch, at, cursor.want_keys);
        }
    }
    note_visible(cursor, batch)?;
    if low <= from || low == Position::LEAST {
        return Ok(Place::End);
    }
    Ok(Place::Before {
        key: path.low.key,
        tid: path.low.tid,
    })
}
