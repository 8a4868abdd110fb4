//! Opening the database: finding or formatting the disk, replaying the log.
//!
//! Replay starts where the last checkpoint says and ends at the first bytes that
//! are no record. That these are the end, and not damage, is looked at first; then
//! what of the log may stand in the disk's cache alone is made durable, and only
//! then are pages changed. A page's first record after that point carries the whole page
//! or starts from zeros, so replay never depends on what a crash left of a page;
//! running it twice, or again after a crash within it, gives the same pages.
//! Pages of files that the space map does not know (any more) are skipped: the
//! record that makes them exist again, if there is one, starts from zeros. So the
//! map may as well be that of the log's end, and is when a page of it was torn:
//! until its image is met in the log nobody could say where other pages lie.

use crate::checkpoint::Pace;
use crate::load::{blank, exclusive};
use crate::pool::{DIRTY, PoolState, any_pool};
use crate::record::{Block, Body, How};
use crate::space::Space;
use crate::{BufferError, FileId, PageId};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::Exclusive;
use pg_page::{PAGE_SIZE, header};
use pg_wal_port::record::Record;
use pg_wal_port::{DiskOpenError, LogEnd, LogReader, Lsn, ReadError, WalError};
use task_port::Held;

/// What opening found and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpenReport {
    /// It was open already.
    pub already: bool,
    /// The disk had been shut down in order.
    pub clean: bool,
    /// Where replay started.
    pub from: Lsn,
    /// Where it ended: the position of the first bytes that are no record.
    pub to: Lsn,
    /// The log before this position was durable for sure; should anything of it be
    /// damaged, that shows.
    pub durable: Lsn,
    /// Which start of the log this is ([`pg_wal_port::epoch`]).
    pub epoch: u32,
    /// Records replayed.
    pub records: u64,
    /// No transaction number beyond this one was ever logged.
    pub highest_xid: u64,
}

impl core::fmt::Display for OpenReport {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let OpenReport { from, to, .. } = self;
        match (self.already, self.records) {
            (true, _) => f.write_str("open already"),
            (_, 0) if self.clean => f.write_str("shut down in order, nothing to replay"),
            (_, records) => write!(f, "{records} log records replayed, from {from} to {to}"),
        }
    }
}

/// Why the database could not be opened. The disk is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// The disk is not ours to use, or the log is not there.
    Disk(DiskOpenError),
    /// A page could not be read or written, or the space map contradicts itself.
    Buffer(BufferError),
    /// The log could not be read, or is damaged.
    Read(ReadError),
    /// A record at this position makes no sense, though its checksum fits.
    Record(Lsn),
}

impl From<BufferError> for OpenError {
    fn from(error: BufferError) -> Self {
        OpenError::Buffer(error)
    }
}

impl From<WalError> for OpenError {
    fn from(error: WalError) -> Self {
        OpenError::Disk(DiskOpenError::Log(error))
    }
}

impl From<DiskOpenError> for OpenError {
    fn from(error: DiskOpenError) -> Self {
        OpenError::Disk(error)
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        OpenError::Read(error)
    }
}

impl core::fmt::Display for OpenError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            OpenError::Disk(error) => write!(f, "{error}"),
            OpenError::Buffer(error) => write!(f, "{error}"),
            OpenError::Read(error) => write!(f, "{error}"),
            OpenError::Record(lsn) => write!(f, "the log record at {lsn} makes no sense"),
        }
    }
}

/// Opens the database on the disk, formatting a blank one. To be called once the
/// disk, `pg_wal` and `pg_buffer` are up, and again after one of the latter two
/// was started without its predecessor's state. Blocks.
///
/// # Errors
/// When the disk cannot be used. It can be called again.
pub fn open() -> Result<OpenReport, OpenError> {
    let pool = any_pool()?;
    let _baton = pool.checkpoint_baton.take();
    if pool.open.load(Ordering::SeqCst) && pg_wal_port::is_open() {
        return Ok(OpenReport {
            already: true,
            ..OpenReport::default()
        });
    }
    pool.reset();
    // A log that lives on without us: everything in it counts.
    let log_lives = pg_wal_port::is_open();
    let disk = if log_lives {
        pg_wal_port::flush(pg_wal_port::insert_position())?;
        pg_wal_port::superblock().ok_or(WalError::NotRunning)?
    } else {
        let size = pool.log_size.load(Ordering::SeqCst);
        let overwrite = pool.overwrite.load(Ordering::SeqCst);
        pg_wal_port::open_disk((size > 0).then_some(size), overwrite)?
    };
    // What we read may stand in the disk's cache only.
    crate::checkpoint::flush_device()?;
    let end = LogReader::find_end(Lsn(disk.redo))?;
    pg_wal_port::make_durable(&end)?;
    *pool.space.lock() = Space::new(&disk).with_lent(pool.lent.clone());
    let mut replay = Replay::new(pool, end);
    replay.load_map(disk.map_pages)?;
    let mut report = OpenReport {
        clean: disk.clean,
        from: Lsn(disk.redo),
        to: end.to,
        durable: end.durable,
        highest_xid: disk.highest_xid,
        ..OpenReport::default()
    };
    if replay.broken.is_empty() {
        replay.pass(Which::All, &mut report)?;
    } else {
        // A torn page of the map hides files, and the log may restore their pages
        // before it restores the map: the map's own records come first then.
        replay.pass(Which::Map, &mut report)?;
        replay.pass(Which::Others, &mut report)?;
    }
    replay.check()?;
    crate::checkpoint::write_before(pool, Lsn(u64::MAX), Pace::Fast)?;
    replay.forget_what_is_gone();
    crate::checkpoint::flush_device()?;
    if log_lives {
        let redo = pg_wal_port::begin_checkpoint()?;
        pg_wal_port::finish_checkpoint(redo, false)?;
    } else {
        pg_wal_port::start_log(report.to, report.highest_xid)?;
    }
    report.epoch = pg_wal_port::epoch();
    note(pool, report);
    pool.background.store(true, Ordering::SeqCst);
    pool.open.store(true, Ordering::SeqCst);
    Ok(report)
}

/// How many starts are remembered.
const STARTS: usize = 64;

fn note(pool: &PoolState, report: OpenReport) {
    let mut starts = pool.starts.lock();
    if starts.len() >= STARTS {
        starts.pop_front();
    }
    starts.push_back(report);
}

/// What the latest starts found and did, oldest first; of the system, and of storage
/// alone.
#[must_use]
pub fn starts() -> Vec<OpenReport> {
    any_pool().map_or(Vec::new(), |pool| {
        pool.starts.lock().iter().copied().collect()
    })
}

/// Which pages a pass over the log brings up to date.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Map,
    Others,
}

/// Replay under way.
struct Replay {
    pool: &'static PoolState,
    end: LogEnd,
    /// Pages that could not be read when a record needed them. They are of files
    /// that a later record removes, or set up anew; else they are damaged.
    broken: BTreeMap<PageId, BufferError>,
}

impl Replay {
    fn new(pool: &'static PoolState, end: LogEnd) -> Self {
        let broken = BTreeMap::new();
        Replay { pool, end, broken }
    }

    /// Reads the space map. A damaged page of it must be mended by the log.
    fn load_map(&mut self, pages: u32) -> Result<(), OpenError> {
        for block in 0..pages {
            let page = PageId::new(FileId::SPACE_MAP, block);
            match crate::load::read(self.pool, page, false) {
                Ok(guard) => self.pool.space.lock().refresh(block, &guard),
                Err(error @ (BufferError::Corrupt { .. } | BufferError::Io { .. })) => {
                    self.broken.insert(page, error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Goes over the log, and notes what was found.
    fn pass(&mut self, which: Which, report: &mut OpenReport) -> Result<(), OpenError> {
        let mut reader = LogReader::until(report.from, self.end.to)?;
        report.records = 0;
        while let Some(record) = reader.read()? {
            self.record(&record, which)?;
            report.records += 1;
            report.highest_xid = report.highest_xid.max(record.xid());
        }
        // What was read a moment ago is not there any more.
        match reader.position() == self.end.to {
            true => Ok(()),
            false => Err(OpenError::Record(reader.position())),
        }
    }

    fn record(&mut self, record: &Record<'_>, which: Which) -> Result<(), OpenError> {
        let bad = OpenError::Record(Lsn(record.lsn()));
        let body = Body::parse(record.body(), record.blocks()).ok_or(bad)?;
        // The space map first: it says whether the other pages exist.
        let is_map = |b: &&Block| b.page.file == FileId::SPACE_MAP;
        let (map, others) = (
            (body.blocks().iter()).filter(|b| which != Which::Others && is_map(b)),
            (body.blocks().iter()).filter(|b| which != Which::Map && !is_map(b)),
        );
        for block in map.chain(others) {
            if self.pool.locate(block.page).is_some() {
                self.block(record, &body, block)?;
            }
        }
        Ok(())
    }

    fn block(
        &mut self,
        record: &Record<'_>,
        body: &Body<'_>,
        block: &Block,
    ) -> Result<(), OpenError> {
        let latched = if block.how == How::Change {
            if self.broken.contains_key(&block.page) {
                return Ok(());
            }
            match exclusive(self.pool, block.page, false) {
                Err(error @ (BufferError::Corrupt { .. } | BufferError::Io { .. })) => {
                    self.broken.insert(block.page, error);
                    return Ok(());
                }
                other => other?,
            }
        } else {
            self.broken.remove(&block.page);
            blank(self.pool, block.page)?
        };
        let mut latched = Held::new(latched);
        if block.how == How::Change && header::lsn(&latched) >= record.end() {
            return Ok(());
        }
        let page: &mut Exclusive = &mut latched;
        let applied = body.apply(block, page);
        header::set_lsn(page, record.end());
        let frame = page.frame();
        if frame.flags.fetch_or(DIRTY, Ordering::SeqCst) & DIRTY == 0 {
            frame.word.store(record.lsn(), Ordering::SeqCst);
        }
        if block.page.file == FileId::SPACE_MAP {
            self.pool.space.lock().refresh(block.page.block, page);
        }
        applied.map_err(|_| OpenError::Record(Lsn(record.lsn())))
    }

    /// Takes the frames from pages that were replayed and have stopped existing
    /// since: who asks for one of them is to hear that there is none.
    fn forget_what_is_gone(&self) {
        for frame in self.pool.arena.frames() {
            let tag = frame.tag.load(Ordering::SeqCst);
            if tag != frame::NO_TAG && self.pool.locate(PageId::unpack(tag)).is_none() {
                self.pool.discard(frame, tag);
            }
        }
    }

    /// Whether all that exists now is sound.
    fn check(&self) -> Result<(), BufferError> {
        let space = self.pool.space.lock();
        let exists = |(page, _): &(&PageId, &BufferError)| space.locate(**page).is_some();
        if let Some((_, error)) = self.broken.iter().find(exists) {
            return Err(*error);
        }
        match space.contradiction() {
            Some(extent) => Err(BufferError::Corrupt {
                page: crate::space::entry_place(extent).0,
            }),
            None => Ok(()),
        }
    }
}

const _: () = assert!(PAGE_SIZE == frame::FRAME_SIZE);
