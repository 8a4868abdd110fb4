//! Opening the database: finding or formatting the disk, replaying the log.
//!
//! Replay starts where the last checkpoint says and ends at the first bytes that
//! are no record. A page's first record after that point carries the whole page
//! or starts from zeros, so replay never depends on what a crash left of a page;
//! running it twice, or again after a crash within it, gives the same pages.
//! Pages of files that the space map does not know (any more) are skipped: the
//! record that makes them exist again, if there is one, starts from zeros.

use crate::load::{blank, exclusive};
use crate::pool::{DIRTY, PoolState, any_pool};
use crate::record::{Block, Body, How};
use crate::space::Space;
use crate::{BufferError, FileId, PageId};
use alloc::collections::BTreeSet;
use core::sync::atomic::Ordering;
use frame::Exclusive;
use pg_page::{PAGE_SIZE, header};
use pg_wal_port::record::Record;
use pg_wal_port::{DiskOpenError, LogReader, Lsn, ReadError, WalError};
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
    /// The log could not be read.
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
            OpenError::Read(ReadError::Log(error)) => write!(f, "{error}"),
            OpenError::Read(ReadError::Disk(error)) => write!(f, "reading the log: {error}"),
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
    *pool.space.lock() = Space::new(&disk);
    let mut replay = Replay::new(pool);
    replay.load_map(disk.map_pages)?;
    if !replay.broken.is_empty() {
        // A torn page of the map hides files, and the log may restore their pages
        // before it restores the map: the map's own records come first then.
        let mut reader = LogReader::new(Lsn(disk.redo))?;
        while let Some(record) = reader.read()? {
            replay.map_of(&record)?;
        }
    }
    let mut report = OpenReport {
        clean: disk.clean,
        from: Lsn(disk.redo),
        highest_xid: disk.highest_xid,
        ..OpenReport::default()
    };
    let mut reader = LogReader::new(Lsn(disk.redo))?;
    while let Some(record) = reader.read()? {
        replay.record(&record)?;
        report.records += 1;
        report.highest_xid = report.highest_xid.max(record.xid());
    }
    report.to = reader.position();
    replay.check()?;
    crate::checkpoint::write_before(pool, Lsn(u64::MAX))?;
    crate::checkpoint::flush_device()?;
    if log_lives {
        let redo = pg_wal_port::begin_checkpoint()?;
        pg_wal_port::finish_checkpoint(redo, false)?;
    } else {
        pg_wal_port::start_log(report.to, report.highest_xid)?;
    }
    pool.background.store(true, Ordering::SeqCst);
    pool.open.store(true, Ordering::SeqCst);
    Ok(report)
}

fn is_map(block: &&Block) -> bool {
    block.page.file == FileId::SPACE_MAP
}

/// Replay under way.
struct Replay {
    pool: &'static PoolState,
    /// Pages that could not be read when a record needed them. They are of files
    /// that a later record removes, or set up anew; else they are damaged.
    broken: BTreeSet<PageId>,
}

impl Replay {
    fn new(pool: &'static PoolState) -> Self {
        let broken = BTreeSet::new();
        Replay { pool, broken }
    }

    /// Reads the space map. A damaged page of it must be mended by the log.
    fn load_map(&mut self, pages: u32) -> Result<(), OpenError> {
        for block in 0..pages {
            let page = PageId::new(FileId::SPACE_MAP, block);
            match crate::load::read(self.pool, page) {
                Ok(guard) => self.pool.space.lock().refresh(block, &guard),
                Err(BufferError::Corrupt { .. }) => {
                    self.broken.insert(page);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn record(&mut self, record: &Record<'_>) -> Result<(), OpenError> {
        let bad = OpenError::Record(Lsn(record.lsn()));
        let body = Body::parse(record.body(), record.blocks()).ok_or(bad)?;
        // The space map first: it says whether the other pages exist.
        let others = body.blocks().iter().filter(|b| !is_map(b));
        for block in body.blocks().iter().filter(is_map).chain(others) {
            if self.pool.locate(block.page).is_some() {
                self.block(record, &body, block)?;
            }
        }
        Ok(())
    }

    /// What the record says of the space map, alone.
    fn map_of(&mut self, record: &Record<'_>) -> Result<(), OpenError> {
        let bad = OpenError::Record(Lsn(record.lsn()));
        let body = Body::parse(record.body(), record.blocks()).ok_or(bad)?;
        let mut blocks = body.blocks().iter().filter(is_map);
        blocks.try_for_each(|block| self.block(record, &body, block))
    }

    fn block(
        &mut self,
        record: &Record<'_>,
        body: &Body<'_>,
        block: &Block,
    ) -> Result<(), OpenError> {
        let latched = if block.how == How::Change {
            if self.broken.contains(&block.page) {
                return Ok(());
            }
            match exclusive(self.pool, block.page) {
                Err(BufferError::Corrupt { page }) => {
                    self.broken.insert(page);
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

    /// Whether all that exists now is sound.
    fn check(&self) -> Result<(), BufferError> {
        let space = self.pool.space.lock();
        let exists = |page: &&PageId| space.locate(**page).is_some();
        if let Some(page) = self.broken.iter().find(exists) {
            return Err(BufferError::Corrupt { page: *page });
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
