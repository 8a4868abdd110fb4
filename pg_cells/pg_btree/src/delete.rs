//! Taking pages out of the tree.
//!
//! An empty leaf goes if its parent has an entry behind its own: the page to the
//! right takes over its range, so bounds stay what they are and a separator goes.
//!
//! ```text
//! parent   ... | k1: P | k2: R | ...          ... | k1: R | ...
//! level    L ──► P ──► R                      L ──► R          P is free
//! ```
//! A parent that has no child but P goes with it, and so on upwards; then the page
//! to the right of the parent begins where the parent began. The last page of a
//! level stays, and when it is the root's only child its content moves into the
//! root. What goes, goes in one mini-transaction: no crash leaves half of it.
//!
//! Latches: first a look without any, then in each level left to right, upwards.

use crate::descend::{corrupt, descend, latch, now, open};
use crate::free;
use crate::node::{Bound, Item, Node, Position, ROOT};
use crate::write::{self, Frame};
use alloc::vec::Vec;
use pg_btree_port::{FileId, IndexError};
use pg_buffer_port::{MiniTx, PageId, Slot};

/// How many levels lose a page at once: with three pages a level, and two above,
/// no more fit a mini-transaction. Trees of ordinary keys are lower than that.
const LEVELS: u16 = 9;
const _: () = assert!(3 * LEVELS as usize + 2 <= pg_buffer_port::MAX_PAGES);

/// A page that is to go.
struct Victim {
    block: u32,
    /// The page before it in its level; none when it is the first.
    left: Option<u32>,
}

/// What is to go, from the leaf upwards.
struct Plan {
    victims: Vec<Victim>,
    /// The page that keeps an entry for what takes over.
    parent: u32,
    /// Where the pages that go begin.
    low: Bound,
    since: u64,
}

/// The same, latched.
struct Latched {
    left: Option<Slot>,
    page: Slot,
    /// The page to the right, which must begin where `page` began; none for a
    /// leaf, which does not say where it begins.
    right: Option<Slot>,
    /// Its number.
    right_block: u32,
}

/// Takes an empty leaf, near `at`, out of the tree if that is possible now. True
/// when it is gone.
pub fn page(file: FileId, block: u32, at: Position<'_>) -> Result<bool, IndexError> {
    let Some(plan) = plan(file, block, at)? else {
        return Ok(false);
    };
    let mut mtx = MiniTx::begin(0);
    let mut latched: Vec<Latched> = Vec::new();
    for (level, victim) in (0u16..).zip(&plan.victims) {
        let child = latched
            .last()
            .map(|_| plan.victims[usize::from(level) - 1].block);
        match latch_victim(&mut mtx, file, &plan, (level, victim), child)? {
            Some(found) => latched.push(found),
            None => return Ok(false),
        }
    }
    let level = plan.victims.len() as u16;
    let start = (plan.parent, plan.since);
    let low = plan.low.position();
    let Some((parent, parent_block)) = latch(&mut mtx, file, start, low, level)? else {
        return Ok(false);
    };
    let node = Node::new(mtx.page(parent)).ok_or_else(|| corrupt(file, parent_block))?;
    let (index, heir) = (
        node.branch(low, false),
        latched.last().map(|l| l.right_block),
    );
    let top = plan.victims.last().map(|v| v.block);
    let as_planned = node.position(index) == low
        && node.child(index) == top
        && index + 1 < node.len()
        && node.child(index + 1) == heir;
    if !as_planned {
        return Ok(false);
    }
    let (frame, mut items) = (Frame::of(&node), node.items());
    items[usize::from(index)].child = heir;
    items.remove(usize::from(index) + 1);
    for (victim, found) in plan.victims.iter().zip(&latched) {
        unlink(&mut mtx, file, &plan, victim.block, found)?;
    }
    write::page(&mut mtx, parent, &frame, &items);
    for (victim, found) in plan.victims.iter().zip(&latched) {
        free::give(&mut mtx, file, found.page, victim.block)?;
    }
    mtx.commit()?;
    Ok(true)
}

/// Finds out what must go with the leaf.
fn plan(file: FileId, block: u32, at: Position<'_>) -> Result<Option<Plan>, IndexError> {
    let since = now();
    let mut victims: Vec<Victim> = Vec::new();
    let mut child = block;
    let mut low: Option<Bound> = None;
    for level in 0..LEVELS {
        let (page, path) = descend(file, at, false, level + 1)?;
        let node = Node::new(&page).ok_or_else(|| corrupt(file, path.block))?;
        let index = node.branch(at, false);
        let begins = node.position(index).to_owned();
        let is_known = low.as_ref().is_none_or(|low| *low == begins);
        if node.level() != level + 1 || node.child(index) != Some(child) || !is_known {
            return Ok(None);
        }
        let (len, parent) = (node.len(), path.block);
        drop(page);
        let left = match begins.position() {
            Position::LEAST => None,
            begins => Some(descend(file, begins, true, level)?.1.block),
        };
        victims.push(Victim { block: child, left });
        if index + 1 < len {
            return Ok(Some(Plan {
                victims,
                parent,
                low: begins,
                since,
            }));
        }
        if len != 1 || parent == ROOT {
            return Ok(None);
        }
        child = parent;
        low = Some(begins);
    }
    Ok(None)
}

/// Latches what changes in a victim's level; none when it is not as planned any
/// more. `child` is the victim below.
fn latch_victim(
    mtx: &mut MiniTx,
    file: FileId,
    plan: &Plan,
    (level, victim): (u16, &Victim),
    child: Option<u32>,
) -> Result<Option<Latched>, IndexError> {
    let left = match victim.left {
        None => None,
        Some(block) => match latch_left(mtx, file, (block, plan.since), victim.block, level)? {
            Some(slot) => Some(slot),
            None => return Ok(None),
        },
    };
    let page = mtx.latch(PageId::new(file, victim.block))?;
    let node = Node::new(mtx.page(page)).ok_or_else(|| corrupt(file, victim.block))?;
    let is_empty = match child {
        None => node.len() == 0,
        Some(child) => node.len() == 1 && node.child(0) == Some(child),
    };
    let same = !node.is_other_than(plan.since) && node.level() == level && is_empty;
    let Some(right_block) = node.right().filter(|_| same) else {
        return Ok(None);
    };
    let right = match child {
        None => None,
        Some(_) => {
            let right = mtx.latch(PageId::new(file, right_block))?;
            let node = Node::new(mtx.page(right)).ok_or_else(|| corrupt(file, right_block))?;
            if !write::fits(&Frame::of(&node), &begin_at(&node, &plan.low)) {
                return Ok(None);
            }
            Some(right)
        }
    };
    Ok(Some(Latched {
        left,
        page,
        right,
        right_block,
    }))
}

/// Latches the page of `level` before `victim`, at `start` or to its right.
fn latch_left(
    mtx: &mut MiniTx,
    file: FileId,
    (start, since): (u32, u64),
    victim: u32,
    level: u16,
) -> Result<Option<Slot>, IndexError> {
    let mut slot = mtx.latch(PageId::new(file, start))?;
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, start))?;
    if node.is_other_than(since) || node.level() != level {
        return Ok(None);
    }
    loop {
        let block = mtx.page_id(slot).block;
        let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
        match node.right() {
            Some(right) if right == victim => return Ok(Some(slot)),
            None => return Ok(None),
            Some(right) => {
                let next = mtx.latch(PageId::new(file, right))?;
                mtx.release(slot);
                slot = next;
            }
        }
    }
}

/// A page's items, the first of which begins at `low`.
fn begin_at(node: &Node<'_>, low: &Bound) -> Vec<Item> {
    let mut items = node.items();
    if let Some(first) = items.first_mut() {
        first.at = low.clone();
    }
    items
}

/// Leads the links around a page that goes, and its readers to what takes over.
fn unlink(
    mtx: &mut MiniTx,
    file: FileId,
    plan: &Plan,
    block: u32,
    found: &Latched,
) -> Result<(), IndexError> {
    if let Some(left) = found.left {
        write::set_right(mtx, left, found.right_block);
    }
    if let Some(right) = found.right {
        let node = Node::new(mtx.page(right)).ok_or_else(|| corrupt(file, found.right_block))?;
        let (frame, items) = (Frame::of(&node), begin_at(&node, &plan.low));
        write::page(mtx, right, &frame, &items);
    }
    Ok(pg_txn_port::page_split(
        file.0,
        block,
        &[found.right_block],
    )?)
}

/// Moves the content of the root's only child into the root. True when done.
pub fn lower_root(file: FileId) -> Result<bool, IndexError> {
    let since = now();
    let only_child = |node: &Node<'_>| {
        let is_only = !node.is_leaf() && node.len() == 1;
        node.child(0).filter(|_| is_only)
    };
    let child = {
        let page = open(file, ROOT)?;
        let node = Node::new(&page).ok_or_else(|| corrupt(file, ROOT))?;
        only_child(&node)
    };
    let Some(block) = child else {
        return Ok(false);
    };
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(PageId::new(file, block))?;
    let root = mtx.latch(PageId::new(file, ROOT))?;
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
    let above = Node::new(mtx.page(root)).ok_or_else(|| corrupt(file, ROOT))?;
    let same = only_child(&above) == Some(block)
        && above.level() == node.level() + 1
        && !node.is_other_than(since)
        && node.high().is_none();
    let frame = Frame {
        stamp: None,
        list: above.next_free(),
        ..Frame::of(&node)
    };
    let items = node.items();
    if !same || !write::fits(&frame, &items) {
        return Ok(false);
    }
    pg_txn_port::page_split(file.0, block, &[ROOT])?;
    write::page(&mut mtx, root, &frame, &items);
    free::give(&mut mtx, file, slot, block)?;
    mtx.commit()?;
    Ok(true)
}
