//! Entries that lead to nothing any more: scans kill them, and a full leaf is rid
//! of them before it splits. The aims are PostgreSQL's (`kill_prior_tuple`, simple
//! and bottom-up deletion); what is asked of the heap is bounded by what it brings.
//!
//! An entry may go when its row is dead to all snapshots, in use and to come. That
//! is asked with the leaf latched: until the entry is gone no vacuum gives its slot
//! to another row.

use crate::descend::{corrupt, open};
use crate::node::{Item, Node, Position};
use crate::write::{self, Frame};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use pg_btree_port::{EntryBatch, FileId, IndexError, Tid};
use pg_buffer_port::{MiniTx, Slot};

/// One in so many entries asked for must be dead for the next question,
const WORTH: usize = 4;
/// if there were so many.
const TELLING: usize = 16;
/// How many questions are asked for one insert.
const QUESTIONS: usize = 6;
/// How many entries a question is about at most, unless scans have said so.
const LARGEST: usize = 128;

/// Room for an entry is wanted.
pub struct Room<'a> {
    /// In this index,
    pub file: FileId,
    /// of this table,
    pub heap: FileId,
    /// here.
    pub wanted: Position<'a>,
}

/// Takes entries of dead rows out of a latched leaf that has no room. Asked for
/// are those that scans have killed, with their neighbours in the heap; then
/// entries of equal keys, as updates leave them, those of the new key first; then
/// those of the heap's pages with most entries here.
pub fn make_room(mtx: &mut MiniTx, slot: Slot, room: &Room<'_>) -> Result<(), IndexError> {
    let block = mtx.page_id(slot).block;
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(room.file, block))?;
    let mut by_page: BTreeMap<u32, Vec<Tid>> = BTreeMap::new();
    let mut killed = BTreeSet::new();
    for index in 0..node.len() {
        let tid = Tid::unpack(node.position(index).tid);
        by_page.entry(tid.block).or_default().push(tid);
        if node.is_killed(index) {
            killed.insert(tid.block);
        }
    }
    let mut questions = Vec::new();
    let beside_killed = killed.iter().filter_map(|block| by_page.get(block));
    questions.push(beside_killed.flatten().copied().collect());
    questions.push(equal_to(&node, room.wanted.key));
    questions.push(equals(&node));
    let mut pages: Vec<Vec<Tid>> = by_page.into_values().filter(|t| t.len() > 1).collect();
    pages.sort_by_key(|tids| core::cmp::Reverse(tids.len()));
    questions.extend(pages);
    let dead = ask(room.heap, questions)?;
    take_out(mtx, slot, room.file, &dead)
}

/// The same for entries of equal keys alone: in a unique index all of these but
/// one are dead, or will be.
pub fn take_equals(
    mtx: &mut MiniTx,
    slot: Slot,
    file: FileId,
    heap: FileId,
) -> Result<(), IndexError> {
    let block = mtx.page_id(slot).block;
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
    let mut tids = equals(&node);
    tids.sort_unstable();
    let mut dead = Vec::new();
    pg_heap_port::find_dead(heap, &tids, &mut dead)?;
    take_out(mtx, slot, file, &dead.into_iter().collect())
}

/// Entries with `key`.
fn equal_to(node: &Node<'_>, key: &[u8]) -> Vec<Tid> {
    let first = node.count_before(Position::before(key));
    let all = (first..node.len()).map(|index| node.position(index));
    let equal = all.take_while(|at| at.key == key);
    equal.map(|at| Tid::unpack(at.tid)).collect()
}

/// Entries with a key that another one has, too.
fn equals(node: &Node<'_>) -> Vec<Tid> {
    let all: Vec<Position<'_>> = (0..node.len()).map(|index| node.position(index)).collect();
    let runs = all.chunk_by(|a, b| a.key == b.key).filter(|r| r.len() > 1);
    runs.flatten().map(|at| Tid::unpack(at.tid)).collect()
}

/// Asks the heap one question after the other, for as long as that brings enough.
fn ask(heap: FileId, questions: Vec<Vec<Tid>>) -> Result<BTreeSet<Tid>, IndexError> {
    let mut asked = BTreeSet::new();
    let mut dead = BTreeSet::new();
    let mut found = Vec::new();
    let mut left = QUESTIONS;
    for (number, question) in questions.into_iter().enumerate() {
        let mut tids = question;
        tids.retain(|tid| asked.insert(*tid));
        if number > 0 {
            tids.truncate(LARGEST);
        }
        if tids.is_empty() {
            continue;
        }
        tids.sort_unstable();
        found.clear();
        pg_heap_port::find_dead(heap, &tids, &mut found)?;
        dead.extend(found.iter().copied());
        left -= 1;
        if left == 0 || (tids.len() >= TELLING && found.len() * WORTH < tids.len()) {
            break;
        }
    }
    Ok(dead)
}

/// Writes a leaf without its entries of `dead`.
fn take_out(
    mtx: &mut MiniTx,
    slot: Slot,
    file: FileId,
    dead: &BTreeSet<Tid>,
) -> Result<(), IndexError> {
    if dead.is_empty() {
        return Ok(());
    }
    let block = mtx.page_id(slot).block;
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
    let frame = Frame::of(&node);
    let mut kept: Vec<Item> = node.items();
    kept.retain(|item| !dead.contains(&Tid::unpack(item.at.tid)));
    write::page(mtx, slot, &frame, &kept);
    Ok(())
}

/// See [`pg_btree_port::kill`].
pub fn kill(
    file: FileId,
    heap: FileId,
    batch: &EntryBatch,
    gone: &[Tid],
) -> Result<(), IndexError> {
    let Some((block, since)) = batch.page else {
        return Ok(());
    };
    let mut gone = gone.to_vec();
    gone.sort_unstable();
    let mut page = open(file, block)?;
    let node = Node::new(&page).ok_or_else(|| corrupt(file, block))?;
    if !node.is_leaf() || node.is_other_than(since) {
        return Ok(());
    }
    let tid_at = |index| Tid::unpack(node.position(index).tid);
    let here = |index: &u16| !node.is_killed(*index) && gone.binary_search(&tid_at(*index)).is_ok();
    let mut found: Vec<(Tid, u16)> = (0..node.len())
        .filter(here)
        .map(|i| (tid_at(i), i))
        .collect();
    found.sort_unstable();
    let tids: Vec<Tid> = found.iter().map(|f| f.0).collect();
    let mut dead = Vec::new();
    pg_heap_port::find_dead(heap, &tids, &mut dead)?;
    for (_, index) in found.iter().filter(|f| dead.binary_search(&f.0).is_ok()) {
        write::kill(&mut page, *index);
    }
    Ok(())
}
