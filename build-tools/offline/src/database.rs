//! Bringing the storage cells up on a disk, step by step: each step that fails is
//! a finding, and what can still be looked at is.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pg_buffer_port::{BufferError, OpenError, OpenReport};
use pg_check_port::{Around, Finding, Place, Report, Severity, What};
use pg_wal_port::{Lsn, ReadError};
use port::{Cell, Options};

use crate::device::Device;

/// Frames of the pool; the log's size counts for blank disks only.
const OPTIONS: &str = "buffers=64M log_buffer=4M";

/// Behind the log and the pool.
const ROWS: [&Cell; 3] = [&pg_txn::CELL, &pg_heap::CELL, &pg_btree::CELL];

/// The ports are one per process.
static ALONE: Mutex<()> = Mutex::new(());

/// A disk with the cells running on it, as far as they came. While it lives, who
/// opens another one waits.
pub struct Database {
    _alone: MutexGuard<'static, ()>,
    /// The disk.
    pub device: Device,
    /// What recovery did, if it succeeded.
    pub opened: Option<OpenReport>,
    /// Whether the catalogs are open too.
    pub is_open: bool,
    /// What the superblock and the log looked like before, and what failed.
    pub report: Report,
}

impl Database {
    /// Starts everything. What the disk below holds is not changed.
    #[must_use]
    pub fn open(device: Device) -> Self {
        let mut database = Database::on(device);
        if let Err(finding) = database.start(OPTIONS, false) {
            database.report.add(finding);
        }
        database
    }

    /// Makes a new database on a blank disk, with boot options.
    #[must_use]
    pub fn create(device: Device, options: &str) -> Self {
        let mut database = Database::on(device);
        if let Err(finding) = database.start(options, true) {
            database.report.add(finding);
        }
        database
    }

    fn on(device: Device) -> Self {
        Database {
            _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
            device,
            opened: None,
            is_open: false,
            report: Report::default(),
        }
    }

    fn start(&mut self, options: &str, may_be_blank: bool) -> Result<(), Finding> {
        let options = Options::parse(options);
        let start = |cell: &'static Cell| {
            let outcome = port::start(cell, &options);
            outcome.map_err(|error| stopped(format!("{}: {error}", cell.name)))
        };
        self.device.install().map_err(stopped)?;
        start(&pg_check::CELL)?;
        // Both are born without what an earlier database left, and closed.
        start(&pg_wal::CELL)?;
        start(&pg_buffer::CELL)?;
        self.report = pg_check_port::media().map_err(stopped)?;
        let blank = |f: &Finding| f.what == What::Superblock && f.severity == Severity::Note;
        let blanks = self.report.findings.iter().filter(|f| blank(f)).count();
        if blanks == 2 && !may_be_blank {
            return Err(stopped("the disk is blank"));
        }
        self.opened = Some(pg_buffer_port::open().map_err(|error| opening(&error))?);
        for cell in ROWS {
            start(cell)?;
        }
        start(&pg_catalog::CELL)?;
        let catalogs = pg_catalog_port::open();
        catalogs.map_err(|error| Finding::damage(Place::System, What::Catalog, error.message()))?;
        self.is_open = true;
        Ok(())
    }

    /// Looks at everything.
    #[must_use]
    pub fn check(&self) -> Report {
        let mut report = self.report.clone();
        // Now the disk has everything too, and its pages can be looked at.
        if self.is_open
            && let Err(error) = pg_buffer_port::checkpoint()
        {
            report.add(stopped(error));
        }
        match pg_check_port::run(Around::Quiet) {
            Ok(found) => report.merge(found),
            Err(error) => report.add(stopped(error)),
        }
        report
    }
}

fn stopped(error: impl Display) -> Finding {
    Finding::damage(Place::System, What::NotRunning, error)
}

/// Why recovery stopped, with the place that it names.
fn opening(error: &OpenError) -> Finding {
    let (place, what) = match error {
        OpenError::Buffer(BufferError::Corrupt { page }) => (Place::Page(*page), What::Checksum),
        OpenError::Buffer(BufferError::Io { page }) => (Place::Page(*page), What::Unreadable),
        OpenError::Record(Lsn(lsn)) => (Place::Log(Lsn(*lsn)), What::Record),
        OpenError::Read(ReadError::Damaged { at, .. }) => (Place::Log(*at), What::Gap),
        OpenError::Read(ReadError::Disk { at, .. }) => (Place::Log(*at), What::Unreadable),
        OpenError::Disk(_) | OpenError::Buffer(_) | OpenError::Read(_) => {
            (Place::System, What::NotRunning)
        }
    };
    Finding::damage(place, what, format!("recovery stopped: {error}"))
}
