//! What the tests share: the system on a simulated disk, and a model of what
//! pages must hold.
#![allow(dead_code)]

use pg_buffer_port::{
    BufferError, FileId, Lsn, MiniTx, OpenError, OpenReport, PAGE_SIZE, Page, PageId,
};
use port::Options;
use sim_disk::{Random, SimDisk};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The ports are one per process: one test at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the cells on `disk` without opening the database.
pub fn start(disk: &SimDisk, options: &str) {
    disk.install();
    let options = Options::parse(options);
    port::start(&pg_wal::CELL, &options).expect("pg_wal starts");
    port::start(&pg_buffer::CELL, &options).expect("pg_buffer starts");
}

/// Starts the cells and opens the database.
pub fn open(disk: &SimDisk, options: &str) -> Result<OpenReport, OpenError> {
    start(disk, options);
    pg_buffer_port::open()
}

/// One change, as the model remembers it.
#[derive(Clone)]
pub enum Change {
    /// The file exists, empty.
    Create(FileId),
    /// It has one more page, of zeros.
    Extend(FileId),
    /// It has this many pages.
    Truncate(FileId, u32),
    /// It is gone.
    Drop(FileId),
    /// Bytes of a page.
    Write(PageId, usize, Vec<u8>),
    /// Bytes moved within a page: from, to, how many.
    Shift(PageId, usize, usize, usize),
    /// One byte over a range.
    Fill(PageId, usize, usize, u8),
    /// Set up anew.
    Init(PageId, u8),
}

/// What the pages hold.
#[derive(Clone, Default)]
pub struct Model {
    pub files: BTreeMap<FileId, Vec<Box<Page>>>,
}

impl Model {
    fn page(&mut self, id: PageId) -> &mut Page {
        &mut self.files.get_mut(&id.file).expect("file")[id.block as usize]
    }

    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Create(file) => drop(self.files.insert(*file, Vec::new())),
            Change::Extend(file) => {
                let file = self.files.get_mut(file).expect("file");
                file.push(Box::new([0; PAGE_SIZE]));
            }
            Change::Truncate(file, blocks) => {
                self.files
                    .get_mut(file)
                    .expect("file")
                    .truncate(*blocks as usize);
            }
            Change::Drop(file) => drop(self.files.remove(file)),
            Change::Write(id, at, bytes) => {
                self.page(*id)[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Change::Shift(id, from, to, len) => {
                self.page(*id).copy_within(*from..from + len, *to);
            }
            Change::Fill(id, at, len, byte) => self.page(*id)[*at..at + len].fill(*byte),
            Change::Init(id, kind) => pg_page::header::init(self.page(*id), *kind, 16),
        }
    }

    /// Compares everything but checksums and log positions.
    pub fn check(&self, context: &str) {
        let found = pg_buffer_port::files().unwrap();
        let wanted: Vec<_> = self
            .files
            .iter()
            .map(|(f, p)| (*f, p.len() as u32))
            .collect();
        assert_eq!(found, wanted, "{context}: files");
        for (file, pages) in &self.files {
            for (block, page) in (0..).zip(pages) {
                let id = PageId::new(*file, block);
                let read = pg_buffer_port::read_page(id)
                    .unwrap_or_else(|e| panic!("{context}: {id}: {e}"));
                let same = read[4..8] == page[4..8] && read[16..] == page[16..];
                assert!(same, "{context}: {id} differs");
            }
        }
    }
}

/// A random workload of one task, with the log position at which each group of
/// changes took effect.
pub struct Workload {
    pub random: Random,
    pub model: Model,
    pub history: Vec<(Lsn, Vec<Change>)>,
    pub flushed: Lsn,
    pub most_pages: u32,
}

impl Workload {
    pub fn new(seed: u64) -> Self {
        Workload {
            random: Random::new(seed),
            model: Model::default(),
            history: Vec::new(),
            flushed: Lsn(0),
            most_pages: 60,
        }
    }

    fn took_effect(&mut self, lsn: Lsn, changes: Vec<Change>) {
        changes.iter().for_each(|c| self.model.apply(c));
        self.history.push((lsn, changes));
    }

    /// Forgets what a recovery that ended at `end` cannot have found. Everything
    /// known to be durable must be before it.
    pub fn rewind(&mut self, end: Lsn) {
        assert!(
            end >= self.flushed,
            "the log ends at {end}, {} was durable",
            self.flushed
        );
        self.history.retain(|(lsn, _)| *lsn <= end);
        let mut model = Model::default();
        for (_, changes) in &self.history {
            changes.iter().for_each(|c| model.apply(c));
        }
        self.model = model;
    }

    fn any_file(&mut self) -> Option<FileId> {
        let files: Vec<_> = self.model.files.keys().copied().collect();
        let at = self.random.below(files.len() as u64) as usize;
        files.get(at).copied()
    }

    /// Does something.
    pub fn step(&mut self) -> Result<(), BufferError> {
        // Without the background loops nobody else frees the log.
        let log = pg_wal_port::stats();
        if log.used > log.size / 2 {
            pg_buffer_port::checkpoint()?;
        }
        let choice = self.random.below(100);
        if choice < 2 || self.model.files.is_empty() {
            return self.create();
        }
        match choice {
            2..12 => self.extend(),
            12 => self.cut(),
            13..25 => self.flush(),
            25 if self.random.below(4) == 0 => pg_buffer_port::checkpoint(),
            _ => self.change(),
        }
    }

    fn create(&mut self) -> Result<(), BufferError> {
        let file = FileId(4 + self.random.below(6) as u32 * 4);
        if self.model.files.contains_key(&file) {
            return Ok(());
        }
        let mut mtx = MiniTx::begin(7);
        pg_buffer_port::create_file(&mut mtx, file)?;
        self.took_effect(pg_wal_port::insert_position(), vec![Change::Create(file)]);
        Ok(())
    }

    fn cut(&mut self) -> Result<(), BufferError> {
        let Some(file) = self.any_file() else {
            return Ok(());
        };
        let mut mtx = MiniTx::begin(7);
        let change = if self.random.below(3) == 0 {
            pg_buffer_port::drop_file(&mut mtx, file)?;
            Change::Drop(file)
        } else {
            let now = self.model.files[&file].len() as u64;
            let blocks = self.random.below(now + 1) as u32;
            pg_buffer_port::truncate(&mut mtx, file, blocks)?;
            Change::Truncate(file, blocks)
        };
        self.took_effect(pg_wal_port::insert_position(), vec![change]);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BufferError> {
        let to = pg_wal_port::insert_position();
        pg_wal_port::flush(to)?;
        self.flushed = self.flushed.max(to);
        Ok(())
    }

    fn extend(&mut self) -> Result<(), BufferError> {
        let Some(file) = self.any_file() else {
            return Ok(());
        };
        if self.model.files[&file].len() as u32 >= self.most_pages {
            return Ok(());
        }
        let mut mtx = MiniTx::begin(7);
        let (slot, block) = mtx.extend(file)?;
        self.took_effect(pg_wal_port::insert_position(), vec![Change::Extend(file)]);
        let id = PageId::new(file, block);
        assert_eq!(block as usize + 1, self.model.files[&file].len());
        mtx.init(slot, 3, 16);
        mtx.write(slot, 100, &[block as u8; 40]);
        if self.random.below(4) > 0 {
            let lsn = mtx.commit()?;
            let write = Change::Write(id, 100, vec![block as u8; 40]);
            self.took_effect(lsn, vec![Change::Init(id, 3), write]);
        }
        Ok(())
    }

    fn change(&mut self) -> Result<(), BufferError> {
        let Some(file) = self.any_file() else {
            return Ok(());
        };
        let length = self.model.files[&file].len() as u64;
        let mut mtx = MiniTx::begin(self.random.below(1000));
        let mut changes = Vec::new();
        for _ in 0..=self.random.below(3) {
            if length == 0 {
                break;
            }
            let id = PageId::new(file, self.random.below(length) as u32);
            let slot = mtx.latch(id)?;
            for _ in 0..=self.random.below(3) {
                let at = 24 + self.random.below(8000) as usize;
                let len = self.random.below(160) as usize;
                let byte = self.random.next_u64() as u8;
                let change = match self.random.below(12) {
                    0 => Change::Init(id, byte),
                    1..3 => Change::Fill(id, at, len, byte),
                    3..5 => Change::Shift(id, at, 24 + self.random.below(8000) as usize, len),
                    _ => Change::Write(id, at, vec![byte; len]),
                };
                match &change {
                    Change::Init(_, kind) => mtx.init(slot, *kind, 16),
                    Change::Fill(_, at, len, byte) => mtx.fill(slot, *at, *len, *byte),
                    Change::Shift(_, from, to, len) => mtx.shift(slot, *from, *to, *len),
                    Change::Write(_, at, bytes) => mtx.write(slot, *at, bytes),
                    _ => unreachable!(),
                }
                changes.push(change);
            }
        }
        if self.random.below(6) > 0 && !changes.is_empty() {
            let lsn = mtx.commit()?;
            self.took_effect(lsn, changes);
        }
        Ok(())
    }
}
