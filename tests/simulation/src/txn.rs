//! A transaction as the simulation makes it: every look is compared with the
//! model, every change is noted for it.

use crate::model::{Change, Changes, Key, Lazy, Look, Tag, TxnNo};
use crate::serial::Seen;
use crate::world::{Stop, Table, World, lock};
use crate::{log, must, row, say};
use pg_btree_port::{Cursor, EntryBatch, Inserted};
use pg_buffer_port::FileId;
use pg_heap_port::{RowBatch, RowBuf, Tid, UpdateOutcome};
use pg_txn_port::{Isolation, LockMode, Snapshot, Transaction, TxnError};
use pg_wal_port::Durability;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// What is found of a table: rows by id.
pub type Rows = BTreeMap<u32, Vec<u8>>;

/// A transaction under way.
pub struct Txn<'w> {
    world: &'w World,
    /// The system's.
    pub tx: Transaction,
    repeatable: bool,
    durability: Durability,
    look: Look,
    looked: bool,
    layers: Vec<Changes>,
    /// What it has seen, if it is serializable.
    seen: Option<Seen>,
}

/// A commit that was asked for, until there is an answer.
struct Asked<'w> {
    world: &'w World,
    no: TxnNo,
    answered: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.answered {
            say!("txn {}: no answer", self.no);
            lock(&self.world.model).faulted(self.no);
        }
    }
}

impl<'w> Txn<'w> {
    /// Begins one.
    ///
    /// # Errors
    /// When the system cannot.
    pub fn begin(world: &'w World, repeatable: bool) -> Result<Self, Stop> {
        let isolation = match repeatable {
            true => Isolation::RepeatableRead,
            false => Isolation::ReadCommitted,
        };
        Txn::begin_as(world, isolation)
    }

    /// The same with any isolation level.
    ///
    /// # Errors
    /// When the system cannot, or storage has started anew: the model knows of that
    /// when this life is over.
    pub fn begin_as(world: &'w World, isolation: Isolation) -> Result<Self, Stop> {
        let tx = Transaction::begin(isolation, false)?;
        if world.is_lost() {
            return Err(Stop::Again("storage has started anew"));
        }
        let serializable = isolation == Isolation::Serializable;
        Ok(Txn {
            world,
            tx,
            repeatable: isolation != Isolation::ReadCommitted,
            seen: serializable.then(Seen::default),
            durability: Durability::Flushed,
            look: Look::default(),
            looked: false,
            layers: vec![Changes::new()],
        })
    }

    /// Says what its commit waits for.
    pub fn set_durability(&mut self, durability: Durability) {
        self.tx.set_durability(durability);
        self.durability = durability;
    }

    /// Locks a table against being dropped.
    ///
    /// # Errors
    /// When it is gone, or waiting failed.
    pub fn lock_table(&mut self, table: Table, mode: LockMode) -> Result<(), Stop> {
        self.tx.lock_relation(table.0, mode)?;
        let there = lock(&self.world.tables).contains(&table) || table == crate::world::CATALOG;
        there.then_some(()).ok_or(Stop::Gone)
    }

    /// The same if nobody is in the way.
    ///
    /// # Errors
    /// As there.
    pub fn lock_now(&mut self, table: Table, mode: LockMode) -> Result<(), Stop> {
        Ok(self.tx.try_lock_relation(table.0, mode)?)
    }

    /// Begins a command.
    fn look(&mut self) -> Result<Arc<Snapshot>, Stop> {
        let from = lock(&self.world.model).now();
        self.tx.start_command()?;
        let snapshot = self.tx.snapshot()?;
        if !self.repeatable || !self.looked {
            self.look = Look::new(from, lock(&self.world.model).now());
            self.looked = true;
        }
        Ok(snapshot)
    }

    /// Nothing of what was found counts when storage has started anew meanwhile: the
    /// transaction must not go on.
    fn still(&self) -> Result<(), Stop> {
        let checked = self.tx.check_cancel();
        if self.world.is_lost() {
            must!(
                checked.is_err(),
                "a transaction outlives a start of storage"
            );
        }
        Ok(checked?)
    }

    fn own(&self, key: Key) -> Option<&Change> {
        self.layers.iter().rev().find_map(|layer| layer.get(&key))
    }

    fn note(&mut self, key: Key, before: Tag, tag: Tag, row: Option<Vec<u8>>) {
        if let Some(layer) = self.layers.last_mut() {
            let before = layer.get(&key).map_or(before, |former| former.before);
            layer.insert(key, Change { before, tag, row });
        }
    }

    /// What was found of a row must be what the snapshot sees.
    fn compare(&mut self, key: Key, found: Option<&[u8]>, how: &str) {
        if let Some(own) = self.own(key) {
            let (own, tag) = (own.row.as_deref(), own.tag);
            let seen = found.map(row::tag);
            must!(own == found, "{how}: own row {key:?} ({tag}) is {seen:?}");
            return;
        }
        let checked = lock(&self.world.model).check(&mut self.look, key, found);
        match (checked, &mut self.seen) {
            (Err(what), _) => {
                let repeatable = self.repeatable;
                log::fail(format_args!("{how} (repeatable: {repeatable}): {what}"));
            }
            (Ok(versions), Some(seen)) => seen.row(key, versions),
            (Ok(_), None) => {}
        }
    }

    /// The visible rows to which an index leads, in its order.
    fn through(
        &self,
        snapshot: &Snapshot,
        table: Table,
        index: FileId,
        cursor: Cursor,
    ) -> Result<Vec<(Tid, Vec<u8>)>, Stop> {
        let mut cursor = cursor.index_only(table.heap());
        let mut batch = EntryBatch::new();
        let mut buffer = RowBuf::new();
        let mut found = Vec::new();
        cursor.reads = snapshot.reads().cloned();
        while pg_btree_port::next_batch(index, &mut cursor, &mut batch)? {
            for (at, tid) in batch.tids.iter().enumerate() {
                let version = pg_heap_port::fetch(snapshot, table.heap(), *tid, &mut buffer)?;
                if batch.all_visible.get(at) == Some(&true) {
                    // The key alone would have been the answer.
                    let key = match index == table.by_id() {
                        true => row::id_key(row::id(&buffer.bytes)),
                        false => row::group_key(row::group(&buffer.bytes)),
                    };
                    let same = version.is_some() && batch.key(at) == Some(&key[..]);
                    must!(
                        same || self.still().is_err(),
                        "index {index:?}: {tid} is said to be visible to all"
                    );
                }
                found.extend(version.map(|tid| (tid, buffer.bytes.clone())));
            }
        }
        self.still()?;
        Ok(found)
    }

    fn find(
        &mut self,
        snapshot: &Snapshot,
        table: Table,
        id: u32,
    ) -> Result<Option<(Tid, Vec<u8>)>, Stop> {
        let cursor = Cursor::point(row::id_key(id));
        let found = self.through(snapshot, table, table.by_id(), cursor)?;
        let tags: Vec<_> = found.iter().map(|f| row::tag(&f.1)).collect();
        must!(found.len() < 2, "{table:?}: id {id} is there as {tags:?}");
        let found = found.into_iter().next();
        let bytes = found.as_ref().map(|f| &f.1[..]);
        self.compare((table.0, id), bytes, "by id");
        Ok(found)
    }

    /// Looks a row up by its id.
    ///
    /// # Errors
    /// The system's; so for all that follow.
    pub fn lookup(&mut self, table: Table, id: u32) -> Result<Option<Tid>, Stop> {
        let snapshot = self.look()?;
        Ok(self.find(&snapshot, table, id)?.map(|found| found.0))
    }

    /// Looks rows up by their group.
    pub fn lookup_group(&mut self, table: Table, group: u8) -> Result<(), Stop> {
        let snapshot = self.look()?;
        let cursor = Cursor::point(row::group_key(group));
        let found = self.through(&snapshot, table, table.by_group(), cursor)?;
        let mut rows = Rows::new();
        for (tid, bytes) in found {
            let id = row::id(&bytes);
            must!(
                row::group(&bytes) == group,
                "row {id} at {tid} of another group"
            );
            let twice = rows.insert(id, bytes).is_some();
            must!(!twice, "{table:?}: id {id} is there twice in group {group}");
        }
        for (id, bytes) in &rows {
            self.compare((table.0, *id), Some(bytes), "by group");
        }
        for key in self.keys(table) {
            if rows.contains_key(&key.1) {
                continue;
            }
            let other = |row: &[u8]| row::group(row) != group;
            let fine = match self.own(key) {
                Some(own) => own.row.as_deref().is_none_or(other),
                None => lock(&self.world.model).may_lack(&self.look, key, other),
            };
            must!(fine, "row {key:?} is missing in group {group}");
        }
        Ok(())
    }

    fn keys(&self, table: Table) -> Vec<Key> {
        let mut keys = lock(&self.world.model).keys(table.0);
        let own = self.layers.iter().flat_map(|layer| layer.keys());
        keys.extend(own.filter(|key| key.0 == table.0));
        keys
    }

    /// Reads a range of ids through the index.
    pub fn range(&mut self, table: Table, ids: (u32, u32), backward: bool) -> Result<(), Stop> {
        let snapshot = self.look()?;
        let (lower, upper) = (row::id_key(ids.0), row::id_key(ids.1));
        let cursor = Cursor::new(Bound::Included(lower), Bound::Excluded(upper), backward);
        let found = self.through(&snapshot, table, table.by_id(), cursor)?;
        let order: Vec<u32> = found.iter().map(|f| row::id(&f.1)).collect();
        let sorted = |w: &[u32]| if backward { w[0] > w[1] } else { w[0] < w[1] };
        must!(order.windows(2).all(sorted), "{table:?}: order {order:?}");
        let rows = found.into_iter().map(|f| (row::id(&f.1), f.1)).collect();
        let within = |key: &Key| (ids.0..ids.1).contains(&key.1);
        if let Some(seen) = &mut self.seen {
            seen.range(table.0, ids.0..ids.1);
        }
        self.compare_all(table, &rows, within, "by range");
        Ok(())
    }

    fn compare_all(&mut self, table: Table, rows: &Rows, within: impl Fn(&Key) -> bool, how: &str) {
        let mut keys: Vec<Key> = self.keys(table).into_iter().filter(within).collect();
        keys.extend(rows.keys().map(|id| (table.0, *id)));
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            self.compare(key, rows.get(&key.1).map(Vec::as_slice), how);
        }
    }

    /// Reads a whole table.
    pub fn scan(&mut self, table: Table) -> Result<Rows, Stop> {
        let snapshot = self.look()?;
        let mut batch = RowBatch::new();
        let mut rows = Rows::new();
        // As the executor does before it asks for the length.
        if let Some(reads) = snapshot.reads() {
            reads.file(table.heap().0)?;
        }
        if let Some(seen) = &mut self.seen {
            seen.range(table.0, 0..u32::MAX);
        }
        for block in 0..pg_heap_port::blocks(table.heap())? {
            pg_heap_port::scan_block(&snapshot, table.heap(), block, &mut batch)?;
            for (tid, bytes) in batch.iter() {
                let twice = rows.insert(row::id(bytes), bytes.to_vec());
                must!(
                    twice.is_none(),
                    "{table:?}: id {} is there again at {tid}",
                    row::id(bytes)
                );
            }
        }
        self.still()?;
        self.compare_all(table, &rows, |_| true, "by scan");
        Ok(rows)
    }

    fn index(&mut self, table: Table, bytes: &[u8], tid: Tid, since: u64) -> Result<(), Stop> {
        let id = row::id(bytes);
        let (heap, key) = (table.heap(), row::id_key(id));
        let done = pg_btree_port::insert(&mut self.tx, table.by_id(), heap, &key, tid, true)?;
        if let Inserted::Duplicate(other) = done {
            self.still()?;
            let live = lock(&self.world.model).was_live((table.0, id), since);
            must!(live, "{table:?}: id {id} is no duplicate of {other}");
            return Err(Stop::Duplicate);
        }
        let key = row::group_key(row::group(bytes));
        pg_btree_port::insert(&mut self.tx, table.by_group(), heap, &key, tid, false)?;
        Ok(())
    }

    /// Adds a row, unless it sees one of that id.
    pub fn insert(&mut self, table: Table, id: u32, group: u8, filler: usize) -> Result<(), Stop> {
        let snapshot = self.look()?;
        if self.find(&snapshot, table, id)?.is_some() {
            return Ok(());
        }
        let (tag, since) = {
            let mut model = lock(&self.world.model);
            (model.tag(), model.now())
        };
        let bytes = row::make(id, tag, 0, group, filler);
        let tid = pg_heap_port::insert(&mut self.tx, table.heap(), &bytes)?;
        self.index(table, &bytes, tid, since)?;
        say!("insert {}.{id} tag {tag} at {tid}", table.0);
        self.note((table.0, id), 0, tag, Some(bytes));
        Ok(())
    }

    /// Changes a row, or deletes it when there is no `group`; as PostgreSQL does,
    /// what others have made of it meanwhile is changed under read committed.
    pub fn change(
        &mut self,
        table: Table,
        id: u32,
        group: Option<u8>,
        filler: usize,
    ) -> Result<bool, Stop> {
        let snapshot = self.look()?;
        let Some((mut tid, mut old)) = self.find(&snapshot, table, id)? else {
            return Ok(false);
        };
        loop {
            let (before, keep) = (row::tag(&old), group == Some(row::group(&old)));
            let (tag, since) = {
                let mut model = lock(&self.world.model);
                (model.tag(), model.now())
            };
            let new = group.map(|group| row::make(id, tag, before, group, filler));
            let outcome = match &new {
                Some(new) => pg_heap_port::update(&mut self.tx, table.heap(), tid, new, keep)?,
                None => pg_heap_port::delete(&mut self.tx, table.heap(), tid)?,
            };
            self.still()?;
            match outcome {
                UpdateOutcome::Updated { tid: at, hot } => {
                    must!(keep || !hot, "row {id} changed its key in place");
                    if let (Some(new), false) = (&new, hot) {
                        self.index(table, new, at, since)?;
                    }
                    say!(
                        "change {}.{id} from {before} to {tag} at {at}, hot: {hot}",
                        table.0
                    );
                    self.note((table.0, id), before, tag, new);
                    return Ok(true);
                }
                UpdateOutcome::Concurrent { newest } => {
                    must!(!self.repeatable, "row {id} was changed: no 40001");
                    let mut buffer = RowBuf::new();
                    let there = pg_heap_port::fetch_any(table.heap(), newest, &mut buffer)?;
                    self.still()?;
                    let same = there && row::id(&buffer.bytes) == id;
                    must!(same, "row {id}: its newest version at {newest} is not");
                    (tid, old) = (newest, buffer.bytes);
                }
                UpdateOutcome::Deleted => {
                    must!(!self.repeatable, "row {id} was deleted: no 40001");
                    return Ok(false);
                }
                UpdateOutcome::SelfModified => {
                    log::fail(format_args!("row {id}: modified by its own command"))
                }
            }
        }
    }

    /// Opens a savepoint.
    pub fn savepoint(&mut self) {
        self.tx.savepoint(&format!("s{}", self.layers.len()));
        self.layers.push(Changes::new());
    }

    /// How many savepoints are open.
    #[must_use]
    pub fn savepoints(&self) -> usize {
        self.layers.len() - 1
    }

    /// Undoes what came after the savepoint number `at`, from 1.
    pub fn rollback_to(&mut self, at: usize) -> Result<(), Stop> {
        self.tx.rollback_to(&format!("s{at}"))?;
        self.layers.truncate(at);
        self.layers.push(Changes::new());
        Ok(())
    }

    /// Forgets the last savepoint.
    pub fn release(&mut self) -> Result<(), Stop> {
        let at = self.savepoints();
        self.tx.release(&format!("s{at}"))?;
        if let (Some(layer), Some(below)) = (self.layers.pop(), self.layers.last_mut()) {
            merge(below, layer);
        }
        Ok(())
    }

    /// Commits. True when there was something to.
    pub fn commit(self) -> Result<bool, Stop> {
        let mut changes = Changes::new();
        for layer in self.layers {
            merge(&mut changes, layer);
        }
        let model = &self.world.model;
        // Who has locked rows has an id, and its commit is logged.
        if changes.is_empty() && self.tx.own_xids().is_empty() {
            self.tx.commit()?;
            if let Some(seen) = self.seen {
                let mut model = lock(model);
                let no = model.reader();
                model.serial.insert(no, seen);
            }
            return Ok(false);
        }
        say!(
            "commit of {:?}",
            changes.values().map(|c| c.tag).collect::<Vec<_>>()
        );
        let asked = lock(model).ask(changes);
        let no = asked.unwrap_or_else(|what| log::fail(format_args!("commit: {what}")));
        let after = pg_wal_port::insert_position().0;
        let world = self.world;
        let mut asked = Asked {
            world,
            no,
            answered: false,
        };
        let outcome = self.tx.commit();
        asked.answered = true;
        match outcome {
            Ok(()) => {
                let lazy = (self.durability != Durability::Flushed).then(|| Lazy {
                    after,
                    until: pg_wal_port::insert_position().0,
                    safe_at: self.world.safe_at(self.durability),
                });
                say!("txn {no} is committed, {:?}", self.durability);
                let mut model = lock(model);
                let fits = model.committed(no, lazy);
                fits.unwrap_or_else(|what| log::fail(format_args!("{what}")));
                if let Some(seen) = self.seen {
                    model.serial.insert(no, seen);
                }
                Ok(true)
            }
            Err(error @ TxnError::Log(_)) => {
                say!("txn {no}: nobody knows");
                let fits = lock(model).unknown(no);
                fits.unwrap_or_else(|what| log::fail(format_args!("{what}")));
                Err(error.into())
            }
            Err(error) => {
                say!("txn {no} is refused");
                let refused = lock(model).refused(no);
                refused.unwrap_or_else(|what| log::fail(format_args!("{what}")));
                Err(error.into())
            }
        }
    }

    /// Commits as the system would, without a word to the model: what it did must not
    /// be there.
    ///
    /// # Errors
    /// The system's.
    pub fn commit_unasked(self) -> Result<(), Stop> {
        Ok(self.tx.commit()?)
    }

    /// Lets the model decide what was open by what this transaction has seen.
    pub fn settle(&self) {
        lock(&self.world.model).settle(&self.look);
    }
}

/// Lays newer changes over older ones.
fn merge(below: &mut Changes, layer: Changes) {
    for (key, change) in layer {
        let before = below.get(&key).map_or(change.before, |c| c.before);
        below.insert(key, Change { before, ..change });
    }
}
