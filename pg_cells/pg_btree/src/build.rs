//! New trees: empty, or filled in order from the left, each level as it grows. The
//! items of a page are gathered in the form in which they go there: nothing is
//! allocated for an entry.

use crate::descend::corrupt;
use crate::node::{Bound, CAPACITY, Node, Position, ROOT};
use crate::split::separator;
use crate::write::{self, Encoded, Frame, special_size};
use alloc::vec::Vec;
use pg_btree_port::{FileId, IndexError, MAX_KEY, Tid};
use pg_buffer_port::{MiniTx, PageId, Slot};

/// Pages are filled this far, so that the first inserts split none.
const FILL: usize = CAPACITY / 10 * 9;

/// See [`pg_btree_port::create`].
pub fn create(mtx: &mut MiniTx, file: FileId) -> Result<(), IndexError> {
    let (slot, block) = mtx.extend(file)?;
    if block != ROOT {
        return Err(corrupt(file, block));
    }
    write::page(mtx, slot, &Frame::default(), &[]);
    Ok(())
}

/// A level under construction: its last page, which is not written yet.
#[derive(Default)]
struct Level {
    items: Encoded,
    /// The longest key on the page.
    longest: usize,
    /// The position of the last item.
    last: Bound,
    /// The least position of the page.
    low: Bound,
    /// Where the page goes; none while it is the level's only one.
    block: Option<u32>,
}

struct Builder {
    file: FileId,
    levels: Vec<Level>,
}

/// See [`pg_btree_port::bulk_build`].
pub fn bulk_build(
    file: FileId,
    entries: &mut dyn FnMut(&mut Vec<u8>) -> Option<Tid>,
) -> Result<u64, IndexError> {
    let mut builder = Builder {
        file,
        levels: Vec::new(),
    };
    builder.levels.push(Level::default());
    let mut count = 0;
    let mut key = Vec::new();
    loop {
        key.clear();
        let Some(tid) = entries(&mut key) else {
            break;
        };
        if key.len() > MAX_KEY {
            return Err(IndexError::KeyTooLong { len: key.len() });
        }
        let at = Position {
            key: &key,
            tid: tid.pack(),
        };
        if count > 0 && builder.levels[0].last.position() >= at {
            return Err(IndexError::OutOfOrder);
        }
        builder.add(0, at, None)?;
        count += 1;
    }
    builder.finish()?;
    Ok(count)
}

impl Builder {
    fn add(
        &mut self,
        level: usize,
        at: Position<'_>,
        child: Option<u32>,
    ) -> Result<(), IndexError> {
        if self.levels.len() == level {
            self.levels.push(Level::default());
        }
        let current = &self.levels[level];
        let longest = current.longest.max(at.key.len());
        let size = current.items.size() + Encoded::size_of(at, child);
        let full = size + special_size(Some(longest)) > FILL;
        if full && current.items.len() >= 2 {
            self.next_page(level, at)?;
        }
        let current = &mut self.levels[level];
        current.longest = current.longest.max(at.key.len());
        current.items.push(at, child);
        current.last.tid = at.tid;
        current.last.key.clear();
        current.last.key.extend_from_slice(at.key);
        Ok(())
    }

    /// Writes the level's page and begins the next one, which `first` opens.
    fn next_page(&mut self, level: usize, first: Position<'_>) -> Result<(), IndexError> {
        let current = &mut self.levels[level];
        let high = match level {
            0 => separator(current.last.position(), first),
            _ => first.to_owned(),
        };
        let mut mtx = MiniTx::begin(0);
        let (slot, block) = page_for(&mut mtx, self.file, current.block)?;
        let (_, next) = mtx.extend(self.file)?;
        let frame = Frame {
            level: level as u16,
            right: Some(next),
            high: Some(high.clone()),
            ..Frame::default()
        };
        write::page_of(&mut mtx, slot, &frame, &current.items);
        mtx.commit()?;
        let low = core::mem::replace(&mut current.low, high);
        current.items.clear();
        current.longest = 0;
        current.block = Some(next);
        self.add(level + 1, low.position(), Some(block))
    }

    /// Writes the last page of each level; the only page of the top level is
    /// the root.
    fn finish(mut self) -> Result<(), IndexError> {
        let mut level = 0;
        while level < self.levels.len() {
            let current = core::mem::take(&mut self.levels[level]);
            let frame = Frame {
                level: level as u16,
                ..Frame::default()
            };
            let mut mtx = MiniTx::begin(0);
            match current.block {
                None => {
                    let slot = mtx.latch(PageId::new(self.file, ROOT))?;
                    let empty = Node::new(mtx.page(slot)).is_some_and(|n| n.len() == 0);
                    if !empty {
                        return Err(corrupt(self.file, ROOT));
                    }
                    write::page_of(&mut mtx, slot, &frame, &current.items);
                    mtx.commit()?;
                    return Ok(());
                }
                Some(_) => {
                    let (slot, block) = page_for(&mut mtx, self.file, current.block)?;
                    write::page_of(&mut mtx, slot, &frame, &current.items);
                    mtx.commit()?;
                    self.add(level + 1, current.low.position(), Some(block))?;
                }
            }
            level += 1;
        }
        Ok(())
    }
}

/// The page that was made for this purpose, or a new one.
fn page_for(mtx: &mut MiniTx, file: FileId, block: Option<u32>) -> Result<(Slot, u32), IndexError> {
    match block {
        Some(block) => Ok((mtx.latch(PageId::new(file, block))?, block)),
        None => Ok(mtx.extend(file)?),
    }
}

/// The least bound is the least position, which opens every level.
const _: () = assert!(Position::LEAST.tid == 0 && Position::LEAST.key.is_empty());
