//! Disk images after a power cut, made from the state before the boot and the log
//! of writes: [`Replay`] goes along the log once, and [`Replay::cut`] puts what a
//! disk may hold at that moment in a layer over what is durable.
//!
//! The model: a flush makes everything before it durable; a write with force is
//! durable when it is done. Of the others since the last flush, and of the one
//! under way, each sector may be there or not. Writes to one place stay in order.
//!
//! QEMU 7.2 passes the force bit of NVMe writes on to nobody, so the log does not
//! show it. The system forces its writes to the superblock and the log region, and
//! no others (`pg_wal`), so these are known by their place.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Result, bail};
use pg_page::superblock::{BLOCK, COPIES, Found, Superblock};

use super::log::{self, Entry, Kind, SECTOR};
use super::random::Random;
use crate::device::{Below, Layer};
use crate::place;

/// Goes along a log.
pub struct Replay {
    log: File,
    entries: Vec<Entry>,
    /// Writes below this place of the disk are forced.
    forced: u64,
    durable: Arc<Durable>,
    /// The next entry to be done.
    next: usize,
    /// Entries that are done and not durable.
    pending: Vec<usize>,
    /// Force is ignored.
    pub lying: bool,
}

/// What is durable.
struct Durable(RwLock<Layer>);

impl Below for Durable {
    fn len(&self) -> u64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let layer = self.0.read().unwrap_or_else(PoisonError::into_inner);
        layer.read(offset, out)
    }
}

/// What became of the writes that were not durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    /// All of it is there.
    pub kept: usize,
    /// Nothing of it is there.
    pub lost: usize,
    /// A part is there.
    pub torn: usize,
}

/// How the writes that are not durable are dealt with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mood {
    NothingMore,
    Everything,
    Some,
}

impl Replay {
    /// Over the state before the boot; which writes are forced is read from the disk
    /// as it was, or as the first boot divides it.
    ///
    /// # Errors
    /// When the log cannot be read, or the disk is none of ours.
    pub fn over(before: Arc<dyn Below>, log: File) -> Result<Self> {
        let entries = log::read(&log, before.len())?;
        let forced = forced(&*before, &log, &entries)?;
        Ok(Replay::new(before, log, entries, forced))
    }

    /// Over the state before the boot.
    #[must_use]
    pub fn new(before: Arc<dyn Below>, log: File, entries: Vec<Entry>, forced: u64) -> Self {
        Replay {
            log,
            entries,
            forced,
            durable: Arc::new(Durable(RwLock::new(Layer::over(before)))),
            next: 0,
            pending: Vec::new(),
            lying: false,
        }
    }

    /// All that was done.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the log stands: every entry that ends here or before is done.
    #[must_use]
    pub fn done_to(&self) -> u64 {
        let last = self.next.checked_sub(1).and_then(|at| self.entries.get(at));
        last.map_or(SECTOR, |entry| entry.end)
    }

    /// The same with the entry under way.
    #[must_use]
    pub fn reaches_to(&self) -> u64 {
        let next = self.entries.get(self.next);
        next.map_or(u64::MAX, |entry| entry.end)
    }

    /// The places of the log after which something new is durable.
    #[must_use]
    pub fn boundaries(&self) -> Vec<usize> {
        let durable = |entry: &Entry| match entry.kind {
            Kind::Flush => true,
            Kind::Write { forced } => forced || entry.offset < self.forced,
            Kind::Discard => false,
        };
        let places = self.entries.iter().enumerate();
        let durable = places.filter(|(_, entry)| durable(entry));
        durable.map(|(at, _)| at + 1).collect()
    }

    /// Does the entries before `to`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn advance(&mut self, to: usize) -> io::Result<()> {
        while self.next < to.min(self.entries.len()) {
            let entry = self.entries[self.next];
            match entry.kind {
                Kind::Flush => {
                    for at in core::mem::take(&mut self.pending) {
                        self.make_durable(at)?;
                    }
                }
                Kind::Write { forced } if !self.lying && (forced || entry.offset < self.forced) => {
                    self.make_durable(self.next)?;
                }
                Kind::Write { .. } | Kind::Discard => self.pending.push(self.next),
            }
            self.next += 1;
        }
        Ok(())
    }

    fn make_durable(&self, at: usize) -> io::Result<()> {
        let bytes = self.data(at)?;
        let layer = &self.durable.0;
        let mut layer = layer.write().unwrap_or_else(PoisonError::into_inner);
        layer.write(self.entries[at].offset, &bytes)
    }

    fn data(&self, at: usize) -> io::Result<Vec<u8>> {
        let entry = self.entries[at];
        let mut bytes = vec![0; entry.len as usize];
        if matches!(entry.kind, Kind::Write { .. }) {
            self.log.read_exact_at(&mut bytes, entry.data)?;
        }
        Ok(bytes)
    }

    /// A disk after a power cut at this moment. The replay must not go on while
    /// it is in use.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn cut(&self, random: &mut Random) -> io::Result<(Layer, Fates)> {
        let mut layer = Layer::over(self.durable.clone());
        let mut fates = Fates::default();
        let mood = match random.below(4) {
            0 => Mood::NothingMore,
            1 => Mood::Everything,
            _ => Mood::Some,
        };
        for at in &self.pending {
            self.apply(&mut layer, *at, mood, random, &mut fates)?;
        }
        let under_way = self.entries.get(self.next);
        if under_way.is_some_and(|entry| entry.kind != Kind::Flush) && mood != Mood::NothingMore {
            self.apply(&mut layer, self.next, Mood::Some, random, &mut fates)?;
        }
        Ok((layer, fates))
    }

    fn apply(
        &self,
        layer: &mut Layer,
        at: usize,
        mood: Mood,
        random: &mut Random,
        fates: &mut Fates,
    ) -> io::Result<()> {
        let fate = match mood {
            Mood::NothingMore => 0,
            Mood::Everything => 1,
            Mood::Some => random.below(4),
        };
        if fate == 0 {
            fates.lost += 1;
            return Ok(());
        }
        let entry = self.entries[at];
        let bytes = self.data(at)?;
        let sectors = entry.len / SECTOR;
        // A prefix of the sectors, or any of them.
        let prefix = random.below(sectors + 1);
        let is_there = |sector: u64, random: &mut Random| match fate {
            1 => true,
            2 => sector < prefix,
            _ => random.below(2) == 0,
        };
        let mut there = 0;
        for (sector, bytes) in (0..sectors).zip(bytes.chunks(SECTOR as usize)) {
            if is_there(sector, random) {
                there += 1;
                layer.write(entry.offset + sector * SECTOR, bytes)?;
            }
        }
        let fate = match there {
            0 => &mut fates.lost,
            all if all == sectors => &mut fates.kept,
            _ => &mut fates.torn,
        };
        *fate += 1;
        Ok(())
    }
}

/// Where the part of the disk ends whose writes are forced.
fn forced(before: &dyn Below, log: &File, entries: &[Entry]) -> Result<u64> {
    if let Some(superblock) = place::superblock(before) {
        return Ok(superblock.map_offset);
    }
    let blank = vec![0; BLOCK as usize];
    for entry in entries
        .iter()
        .filter(|e| e.offset == COPIES[0] && e.len == BLOCK)
    {
        let mut copy = blank.clone();
        log.read_exact_at(&mut copy, entry.data)?;
        if let Ok(Found::Valid(found)) = Superblock::find([&copy, &blank], before.len()) {
            return Ok(found.map_offset);
        }
    }
    bail!("the disk is none of ours, before and after");
}
