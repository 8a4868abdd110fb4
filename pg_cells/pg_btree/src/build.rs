//! New trees: empty, or filled in order from the left, each level as it grows.

use crate::descend::corrupt;
use crate::node::{Bound, CAPACITY, Item, Node, Position, ROOT};
use crate::split::separator;
use crate::write::{self, Frame, special_size};
use alloc::vec::Vec;
use pg_btree_port::{FileId, IndexError, MAX_KEY, Tid};
use pg_buffer_port::{MiniTx, PageId, Slot};
use pg_page::slots::POINTER_SIZE;

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
    items: Vec<Item>,
    size: usize,
    /// The longest key on the page.
    longest: usize,
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
    let mut last: Option<Bound> = None;
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
        let at = Bound {
            key: key.clone(),
            tid: tid.pack(),
        };
        if last.is_some_and(|l| l.position() >= at.position()) {
            return Err(IndexError::OutOfOrder);
        }
        last = Some(at.clone());
        builder.add(0, Item { at, child: None })?;
        count += 1;
    }
    builder.finish()?;
    Ok(count)
}

impl Builder {
    fn add(&mut self, level: usize, item: Item) -> Result<(), IndexError> {
        if self.levels.len() == level {
            self.levels.push(Level::default());
        }
        let size = item.size() + POINTER_SIZE;
        let current = &self.levels[level];
        let longest = current.longest.max(item.at.key.len());
        let full = current.size + size + special_size(Some(longest)) > FILL;
        if full && current.items.len() >= 2 {
            self.next_page(level, &item)?;
        }
        let current = &mut self.levels[level];
        current.longest = current.longest.max(item.at.key.len());
        current.size += size;
        current.items.push(item);
        Ok(())
    }

    /// Writes the level's page and begins the next one, which `first` opens.
    fn next_page(&mut self, level: usize, first: &Item) -> Result<(), IndexError> {
        let current = &mut self.levels[level];
        let Some(last) = current.items.last() else {
            return Ok(());
        };
        let high = match level {
            0 => separator(last.at.position(), first.at.position()),
            _ => first.at.clone(),
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
        write::page(&mut mtx, slot, &frame, &current.items);
        mtx.commit()?;
        let low = core::mem::replace(&mut current.low, high);
        current.items.clear();
        (current.size, current.longest) = (0, 0);
        current.block = Some(next);
        let item = Item {
            at: low,
            child: Some(block),
        };
        self.add(level + 1, item)
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
                    write::page(&mut mtx, slot, &frame, &current.items);
                    mtx.commit()?;
                    return Ok(());
                }
                Some(_) => {
                    let (slot, block) = page_for(&mut mtx, self.file, current.block)?;
                    write::page(&mut mtx, slot, &frame, &current.items);
                    mtx.commit()?;
                    let item = Item {
                        at: current.low,
                        child: Some(block),
                    };
                    self.add(level + 1, item)?;
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
