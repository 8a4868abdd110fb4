//! The system under test: booting it on a disk, ending it, swapping its cells,
//! and what is allowed to go wrong.

use crate::model::{Model, Shared, Start};
use crate::plan::Plan;
pub use crate::stop::Stop;
use crate::{log, must, say};
use pg_buffer_port::record::Body;
use pg_buffer_port::{BufferError, FileId, Fork, OpenReport, PageId};
use pg_wal_port::{Durability, LogReader, Lsn, WalError};
use port::{Birth, Cell, CellCode, CellRef, Door, Options};
use sim_disk::{Image, Random, Rates, SimDisk};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use task_port::simulate;

/// A table: a heap and two indexes, at three relation numbers in a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Table(pub u32);

/// The number of the first table: what lies below takes no part in serializable
/// transactions.
pub const FIRST_TABLE: u64 = 16_384;

/// The table of tables: a row for each, with its number as id.
pub const CATALOG: Table = Table(100);

impl Table {
    /// Its rows.
    #[must_use]
    pub fn heap(self) -> FileId {
        FileId::new(self.0, Fork::Main)
    }

    /// The unique index on the id.
    #[must_use]
    pub fn by_id(self) -> FileId {
        FileId::new(self.0 + 1, Fork::Main)
    }

    /// The index on the group.
    #[must_use]
    pub fn by_group(self) -> FileId {
        FileId::new(self.0 + 2, Fork::Main)
    }

    /// The files that it always has.
    #[must_use]
    pub fn files(self) -> [FileId; 3] {
        [self.heap(), self.by_id(), self.by_group()]
    }

    /// All that it may have: its maps, too.
    #[must_use]
    pub fn all_files(self) -> [FileId; 5] {
        let map = |fork| FileId::new(self.0, fork);
        let [heap, by_id, by_group] = self.files();
        let maps = (map(Fork::FreeSpace), map(Fork::Visibility));
        [heap, by_id, by_group, maps.0, maps.1]
    }
}

/// What tasks share.
pub struct World {
    /// The seed's plan.
    pub plan: Plan,
    /// The disk of this life.
    pub disk: SimDisk,
    /// When the power failed, or the log, in the life before (ns).
    pub died_at: u64,
    /// What must be true.
    pub model: Shared,
    /// The tables that may be used, without the catalog.
    pub tables: Mutex<Vec<Table>>,
    /// The number of the next table.
    pub next_table: AtomicU64,
    /// When work came to an end (ns).
    pub over_at: AtomicU64,
    /// Workers end.
    pub stop: AtomicBool,
    /// Transactions committed in this life.
    pub commits: AtomicU64,
    /// Somebody was told that the disk is full.
    pub was_full: AtomicBool,
    /// The start of the log that this life belongs to.
    pub start: AtomicU32,
}

/// Locks a mutex of the simulation's own.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Code that is linked in for good.
struct Linked(&'static str);

impl CellCode for Linked {
    fn name(&self) -> &str {
        self.0
    }
    fn version(&self) -> &str {
        "simulated"
    }
    fn size(&self) -> usize {
        0
    }
}

/// A new start begins the log at a multiple of this.
pub const LOG_BLOCK: u64 = 4096;

/// The storage cells, lowest first.
pub const CELLS: [&Cell; 5] = [
    &pg_wal::CELL,
    &pg_buffer::CELL,
    &pg_txn::CELL,
    &pg_heap::CELL,
    &pg_btree::CELL,
];

/// Replaces a cell by a new instance of itself in the steps of a swap.
pub fn swap(cell: &'static Cell) {
    let options = Options::default();
    let door: &dyn Door = *cell.provides[0];
    let deadline = || task_port::now() + 60_000_000_000;
    let mut states = Vec::new();
    let wrong = |what: &str| log::fail(format_args!("swap of {}: {what}", cell.name));
    if door.has_state() {
        door.close();
        if let Err(error) = door.drain(deadline()) {
            eprintln!("swap of {}: {error}", cell.name);
            simulate::give_up();
        }
        match door.export() {
            Ok(state) => states.extend(state.map(|s| (door.name(), s))),
            Err(error) => wrong(&format!("{error:?}")),
        }
    }
    let mut birth = Birth::new(CellRef(Arc::new(Linked(cell.name))), &options, states);
    if (cell.birth)(&mut birth).is_err() || door.flip().is_err() {
        wrong("not born");
    }
    door.open();
    if let Err(error) = door.retire(deadline()) {
        eprintln!("swap of {}: {error}", cell.name);
        simulate::give_up();
    }
}

impl World {
    /// A world with a blank disk that is not booted.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let disk = SimDisk::new(plan.capacity)
            .block_size(plan.block_size)
            .simulated(plan.seed);
        World {
            plan,
            disk,
            died_at: 0,
            over_at: AtomicU64::new(u64::MAX),
            model: Arc::new(Mutex::new(Model::default())),
            tables: Mutex::new(Vec::new()),
            next_table: AtomicU64::new(FIRST_TABLE),
            stop: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            was_full: AtomicBool::new(false),
            start: AtomicU32::new(0),
        }
    }

    /// The same world on what another disk has left.
    #[must_use]
    pub fn with_disk(self, image: Image, seed: u64) -> Self {
        let disk = SimDisk::from_image(image)
            .block_size(self.plan.block_size)
            .simulated(seed);
        let died_at = self.disk.died_at().unwrap_or_else(task_port::now);
        let over_at = self.over_at.load(Ordering::SeqCst);
        World {
            // When the log fails, the disk lives on and yet all is over. And when
            // the power fails in a start, nobody has worked since the end before.
            died_at: match over_at {
                u64::MAX => self.died_at,
                _ => died_at.min(over_at),
            },
            over_at: AtomicU64::new(u64::MAX),
            disk,
            stop: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            was_full: AtomicBool::new(false),
            ..self
        }
    }

    /// Lets requests fail as the plan says, or not at all.
    pub fn set_faults(&self, on: bool) {
        let rates = if on {
            self.plan.rates
        } else {
            Rates::default()
        };
        self.disk.set_rates(rates);
        if !on {
            self.disk.heal();
        }
    }

    /// Starts the cells and opens the database; none when the disk dies.
    pub fn boot(&self) -> Option<OpenReport> {
        if log::is_verbose() {
            self.disk
                .set_trace(|what| log::line(format_args!("disk: {what}")));
        }
        self.disk.install();
        let options = Options::parse(&self.plan.options);
        let mut report = None;
        for cell in CELLS {
            loop {
                match port::start(cell, &options) {
                    Ok(()) => break,
                    Err(_) if self.disk.is_dead() => return None,
                    Err(error) if self.has_faults() => {
                        say!("{} does not start: {error}", cell.name);
                        if !pg_wal_port::is_open() {
                            // As the system would: from the beginning.
                            return self.boot();
                        }
                    }
                    Err(error) => log::fail(format_args!("{}: {error}", cell.name)),
                }
            }
            if cell.name == "pg_buffer" {
                report = Some(self.open()?);
            }
        }
        report
    }

    /// Storage has started, with the system or alone.
    pub fn restarted(&self, start: Start) {
        if let Err(what) = lock(&self.model).restart(start) {
            log::fail(format_args!("{what}"));
        }
        self.start.store(pg_wal_port::epoch(), Ordering::SeqCst);
    }

    /// Whether storage has started anew in the middle of this life.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        pg_wal_port::epoch() != self.start.load(Ordering::SeqCst)
    }

    fn open(&self) -> Option<OpenReport> {
        loop {
            match pg_buffer_port::open() {
                Ok(report) => {
                    say!("opened: {report}");
                    let (block, from) = (LOG_BLOCK, report.from.0);
                    let anew = report.records == 0 && from.is_multiple_of(block);
                    let start = Start {
                        log_end: report.to.0,
                        at_least: if anew { from - block } else { report.to.0 },
                        died_at: self.died_at,
                    };
                    self.restarted(start);
                    return Some(report);
                }
                Err(_) if self.disk.is_dead() => return None,
                Err(error) if self.has_faults() => say!("not opened: {error}"),
                Err(error) => {
                    if let pg_buffer_port::OpenError::Buffer(BufferError::Corrupt { page }) = error
                    {
                        say_records(page);
                    }
                    log::fail(format_args!("the database does not open: {error}"))
                }
            }
        }
    }

    /// From when on a commit acknowledged now must survive a power cut.
    #[must_use]
    pub fn safe_at(&self, durability: Durability) -> u64 {
        let now = task_port::now();
        match durability {
            Durability::Flushed => now,
            Durability::Second => now + 1_000_000_000,
            // Promised for disks that keep up: two rounds of the log writer, and
            // the time that its writes take.
            Durability::Off if !self.has_faults() => now + 200_000_000,
            Durability::Off => u64::MAX,
        }
    }

    /// Whether requests may fail at random.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        self.plan.rates != Rates::default() || self.plan.bad_places
    }

    /// Whether work has come to an end: the power failed, or the log did.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
            || self.disk.is_dead()
            || !pg_wal_port::is_open()
            || self.is_lost()
    }

    /// Looks whether what happened to a task was allowed to.
    pub fn judge(&self, stop: &Stop, doing: &str) {
        say!("{doing}: {stop:?}");
        let plan = &self.plan;
        let dead = self.disk.is_dead();
        let lost = self.is_lost();
        let failed = dead || (plan.log_may_fail() && (lost || !pg_wal_port::is_open()));
        let fine = match stop {
            _ if lost => plan.log_may_fail(),
            Stop::Again(_) | Stop::Duplicate | Stop::Gone => true,
            Stop::Storage(BufferError::Io { .. }) => dead || self.has_faults(),
            Stop::Storage(BufferError::Stopped | BufferError::NotRunning) => failed,
            Stop::Storage(BufferError::DiskFull) => {
                self.was_full.store(true, Ordering::SeqCst);
                // Files of a table whose maker panicked stay until the next start.
                plan.tight || dead || plan.rates.write > 0 || plan.crashes
            }
            Stop::Storage(BufferError::OutOfMemory) => dead || plan.rates.write > 0,
            Stop::Log(WalError::Full) => plan.tight || dead || plan.rates.write > 0,
            Stop::Log(WalError::Failed | WalError::NotRunning) => failed,
            Stop::Log(WalError::NotWritten) => dead || self.has_faults(),
            Stop::Storage(_) | Stop::Log(_) | Stop::Other(_) => false,
        };
        must!(
            fine,
            "{doing}: {stop:?} (disk dead: {dead}, log open: {})",
            pg_wal_port::is_open()
        );
    }

    /// A table that exists, or the catalog's own.
    pub fn any_table(&self, random: &mut Random) -> Option<Table> {
        let tables = lock(&self.tables);
        tables
            .get(random.below(tables.len() as u64) as usize)
            .copied()
    }

    /// Waits, in simulated time, until `done`. False when that does not come.
    pub fn await_rest(&self, done: impl Fn() -> bool) -> bool {
        (0..20_000).any(|_| {
            if done() {
                return true;
            }
            task_port::sleep(100_000);
            simulate::progress();
            false
        })
    }
}

/// Prints what the log says of a page, when events are printed.
fn say_records(page: PageId) {
    let redo = pg_wal_port::superblock().map_or(0, |s| s.redo);
    let Ok(mut reader) = LogReader::new(Lsn(redo)) else {
        return;
    };
    say!("the log from {} says of {page}:", Lsn(redo));
    while let Ok(Some(record)) = reader.read() {
        let body = Body::parse(record.body(), record.blocks());
        let blocks = body.iter().flat_map(|b| b.blocks());
        for block in blocks.filter(|b| b.page == page) {
            let (lsn, end) = (Lsn(record.lsn()), Lsn(record.end()));
            say!("{lsn} to {end}: xid {} {:?}", record.xid(), block.how);
        }
    }
    say!("the log ends at {}", reader.position());
}
