//! What the tests of this folder share: the storage and row cells on a simulated
//! disk, in one process, with threads for tasks.
#![forbid(unsafe_code)]

use pg_btree_port::{Cursor, EntryBatch, Inserted};
use pg_buffer_port::{MiniTx, OpenError};
use pg_heap_port::{RowBatch, RowBuf, Tid};
use pg_page::superblock::SuperblockError;
use pg_txn_port::{Isolation, Snapshot, Transaction};
use pg_wal_port::DiskOpenError;
use port::{Birth, Cell, CellCode, CellRef, Door, Options};
use sim_disk::SimDisk;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

pub use pg_buffer_port::{FileId, Fork};
pub use sim_disk::Random;

/// The ports are one per process: one test at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running database.
pub struct Db {
    pub disk: SimDisk,
    options: &'static str,
}

const CELLS: [&Cell; 3] = [&pg_txn::CELL, &pg_heap::CELL, &pg_btree::CELL];

impl Db {
    /// On a new disk, with room enough.
    pub fn new() -> Self {
        Db::with(256 << 20, "buffers=16M log_size=32M")
    }

    /// On a new disk of `capacity` bytes.
    pub fn with(capacity: u64, options: &'static str) -> Self {
        // The background tasks are the process's: what they still write of the
        // database before must not reach the new disk.
        let _ = pg_wal_port::flush(pg_wal_port::insert_position());
        loop {
            let disk = SimDisk::new(capacity);
            match Db::start(disk, options) {
                Ok(db) => return db.expect("the database opens"),
                // One of them wrote all the same, before the log was another: the disk
                // is not blank any more, and is refused. The next one is.
                Err(OpenError::Disk(DiskOpenError::Superblock(SuperblockError::Foreign))) => {}
                Err(error) => panic!("the database does not open: {error}"),
            }
        }
    }

    /// Starts everything on `disk`; none when the disk dies meanwhile.
    pub fn open(disk: SimDisk, options: &'static str) -> Option<Self> {
        Db::start(disk, options)
            .unwrap_or_else(|error| panic!("the database does not open: {error}"))
    }

    fn start(disk: SimDisk, options: &'static str) -> Result<Option<Self>, OpenError> {
        disk.install();
        let parsed = Options::parse(options);
        let start = |cell| port::start(cell, &parsed);
        start(&pg_wal::CELL).expect("pg_wal starts");
        start(&pg_buffer::CELL).expect("pg_buffer starts");
        match pg_buffer_port::open() {
            Ok(_) => {}
            Err(_) if disk.is_dead() => return Ok(None),
            Err(error) => return Err(error),
        }
        static BACKGROUND: Once = Once::new();
        BACKGROUND.call_once(|| pg_buffer_port::run_background().expect("background tasks"));
        for cell in CELLS {
            match start(cell) {
                Ok(()) => {}
                Err(_) if disk.is_dead() => return Ok(None),
                Err(error) => panic!("{} does not start: {error}", cell.name),
            }
        }
        Ok(Some(Db { disk, options }))
    }

    /// The power fails, and comes back: what the disk holds then depends on
    /// `seed`.
    pub fn power_cut(self, seed: u64) -> Option<Self> {
        self.disk.kill();
        Db::open(SimDisk::from_image(self.disk.power_cut(seed)), self.options)
    }
}

impl Default for Db {
    fn default() -> Self {
        Db::new()
    }
}

/// Makes an empty table.
pub fn create_table(relation: u32) -> FileId {
    let file = FileId::new(relation, Fork::Main);
    let mut mtx = MiniTx::begin(0);
    pg_buffer_port::create_file(&mut mtx, file).expect("a table");
    mtx.commit().expect("a table");
    file
}

/// Makes an empty index.
pub fn create_index(relation: u32) -> FileId {
    let file = create_table(relation);
    let mut mtx = MiniTx::begin(0);
    pg_btree_port::create(&mut mtx, file).expect("an index");
    mtx.commit().expect("an index");
    file
}

/// Begins a transaction under read committed.
pub fn begin() -> Transaction {
    Transaction::begin(Isolation::ReadCommitted, false).expect("a transaction")
}

/// Begins a transaction under repeatable read.
pub fn begin_repeatable() -> Transaction {
    Transaction::begin(Isolation::RepeatableRead, false).expect("a transaction")
}

/// Begins a command and gives its snapshot.
pub fn look(tx: &mut Transaction) -> Arc<Snapshot> {
    tx.start_command().expect("a command");
    tx.snapshot().expect("a snapshot")
}

/// All rows that `snapshot` sees.
pub fn rows(snapshot: &Snapshot, file: FileId) -> Vec<(Tid, Vec<u8>)> {
    let mut batch = RowBatch::new();
    let mut all = Vec::new();
    for block in 0..pg_heap_port::blocks(file).expect("the table's length") {
        pg_heap_port::scan_block(snapshot, file, block, &mut batch).expect("a page");
        all.extend(batch.iter().map(|(tid, row)| (tid, row.to_vec())));
    }
    all
}

/// The contents of all rows that `snapshot` sees, sorted.
pub fn contents(snapshot: &Snapshot, file: FileId) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = rows(snapshot, file).into_iter().map(|r| r.1).collect();
    all.sort();
    all
}

/// Adds an index entry that need not be unique.
pub fn add_entry(tx: &mut Transaction, index: FileId, key: &[u8], tid: Tid) {
    let done = pg_btree_port::insert(tx, index, index, key, tid, false).expect("an entry");
    assert_eq!(done, Inserted::Done);
}

/// All entries between two bounds, with keys.
pub fn entries(
    index: FileId,
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    backward: bool,
) -> Vec<(Vec<u8>, Tid)> {
    let mut cursor = Cursor::new(lower, upper, backward).with_keys();
    let mut batch = EntryBatch::new();
    let mut all = Vec::new();
    while pg_btree_port::next_batch(index, &mut cursor, &mut batch).expect("a page") {
        for at in 0..batch.len() {
            let key = batch.key(at).expect("a key").to_vec();
            all.push((key, batch.tids[at]));
        }
    }
    all
}

/// The visible rows to which the entries of one key lead.
pub fn lookup(snapshot: &Snapshot, index: FileId, heap: FileId, key: &[u8]) -> Vec<(Tid, Vec<u8>)> {
    let mut cursor = Cursor::point(key.to_vec());
    let mut batch = EntryBatch::new();
    let mut row = RowBuf::new();
    let mut found = Vec::new();
    while pg_btree_port::next_batch(index, &mut cursor, &mut batch).expect("a page") {
        for tid in &batch.tids {
            let version = pg_heap_port::fetch(snapshot, heap, *tid, &mut row).expect("a row");
            found.extend(version.map(|tid| (tid, row.bytes.clone())));
        }
    }
    found
}

/// Nothing wrong in a table.
pub fn check_heap(file: FileId) {
    let report = pg_heap_port::check(file).expect("the table is readable");
    assert!(report.is_clean(), "table {file:?}: {:?}", report.findings);
}

/// Nothing wrong in an index. Answers how many entries it has.
pub fn check_index(file: FileId) -> u64 {
    let report = pg_btree_port::check(file).expect("the index is readable");
    assert!(report.is_clean(), "index {file:?}: {:?}", report.findings);
    report.items
}

/// Code that is linked in for good.
struct Linked(&'static str);

impl CellCode for Linked {
    fn name(&self) -> &str {
        self.0
    }
    fn version(&self) -> &str {
        "test"
    }
    fn size(&self) -> usize {
        0
    }
}

/// Replaces a cell by a new instance of itself in the steps of a swap, handing
/// its state over. A stateless one is not closed: calls in flight end in the old
/// instance.
pub fn swap(cell: &'static Cell) {
    let options = Options::default();
    let door: &dyn Door = *cell.provides[0];
    let deadline = || task_port::now() + 60_000_000_000;
    let mut states = Vec::new();
    if door.has_state() {
        door.close();
        door.drain(deadline()).expect("drained");
        let state = door.export().expect("a state");
        states.extend(state.map(|s| (door.name(), s)));
    }
    let code = CellRef(Arc::new(Linked(cell.name)));
    let mut birth = Birth::new(code, &options, states);
    (cell.birth)(&mut birth).expect("born");
    door.flip().expect("flipped");
    door.open();
    door.retire(deadline()).expect("retired");
}

/// A disk that holds `image`.
#[must_use]
pub fn sim_disk(image: sim_disk::Image) -> SimDisk {
    SimDisk::from_image(image)
}
