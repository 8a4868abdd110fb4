//! The index store: a tree with right links and high keys, after Lehman and Yao
//! (1981) and PostgreSQL's nbtree. `README.md` beside it tells the latch order
//! and where this tree deviates from the paper.
//!
//! - `node`, `write`: a page's layout, read and written
//! - `descend`: from the root to a page
//! - `insert`, `split`: adding entries
//! - `unique`: looking for an entry that forbids another one
//! - `clean`: entries that lead to nothing any more
//! - `scan`: cursors
//! - `build`: filling an empty tree in order
//! - `remove`: taking dead entries out, for a vacuum
//! - `delete`, `free`: taking pages out of the tree, and into it again
//! - `check`: what must hold in every tree
//!
//! Stateless.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod build;
pub mod check;
mod clean;
mod delete;
mod descend;
mod free;
mod insert;
mod node;
mod remove;
mod scan;
mod split;
mod unique;
mod write;

use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_btree_port::{
    BTREE, CheckReport, Cursor, DeadTids, EntryBatch, FileId, IndexAccess, IndexError, Inserted,
    MiniTx, Tid,
};
use pg_txn_port::Transaction;
use port::{Birth, BirthError, Component, CrashKind};

/// What this cell says of itself.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_btree_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide(&BTREE, Box::new(Tree));
    Ok(())
}

/// The provider.
struct Tree;

impl Component for Tree {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl IndexAccess for Tree {
    fn create(&self, mtx: &mut MiniTx, file: FileId) -> Result<(), IndexError> {
        build::create(mtx, file)
    }

    fn insert(
        &self,
        tx: &mut Transaction,
        file: FileId,
        heap_file: FileId,
        key: &[u8],
        tid: Tid,
        alone: Option<usize>,
    ) -> Result<Inserted, IndexError> {
        insert::insert(tx, file, heap_file, key, tid, alone)
    }

    fn next_batch(
        &self,
        file: FileId,
        cursor: &mut Cursor,
        batch: &mut EntryBatch,
    ) -> Result<bool, IndexError> {
        scan::next_batch(file, cursor, batch)
    }

    fn kill(
        &self,
        file: FileId,
        heap_file: FileId,
        batch: &EntryBatch,
        gone: &[Tid],
    ) -> Result<(), IndexError> {
        clean::kill(file, heap_file, batch, gone)
    }

    fn bulk_build(
        &self,
        file: FileId,
        entries: &mut dyn FnMut(&mut Vec<u8>) -> Option<Tid>,
    ) -> Result<u64, IndexError> {
        build::bulk_build(file, entries)
    }

    fn remove(&self, tx: &Transaction, file: FileId, dead: &DeadTids) -> Result<u64, IndexError> {
        remove::remove(tx, file, dead)
    }

    fn check(&self, file: FileId) -> Result<CheckReport, IndexError> {
        check::file(file)
    }
}
