//! The superblock and the log, byte by byte.
//!
//! The log is read from the redo position on. It ends at the first bytes that
//! are no record, and whether that is damage cannot be seen there: a power cut
//! leaves the same. A later record that says how far the log was durable tells
//! (`pg_wal_port::LogReader`): if it speaks of bytes behind the end, they are
//! damaged; if none does, it is a note that there are later records, or bytes
//! that look like the beginning of the next. When the log runs, its durable end is
//! known anyway. `pages` finds the other proof: a page with a change that the log
//! has lost.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use frame::IoBuffer;
use nvme_port::{DiskError, Op, Urgency, transfer};
use pg_buffer_port::record::{Body, How};
use pg_check_port::{Finding, Place, Report, What};
use pg_page::superblock::{BLOCK, COPIES, Found, LOG_OFFSET, Superblock, SuperblockError};
use pg_page::{get_u32, get_u64};
use pg_wal_port::Lsn;
use pg_wal_port::record::{HEADER, MAX_RECORD, Parsed, Record};

/// Bytes read at a time.
const STEP: usize = 128 << 10;

/// What lies on the disk.
#[derive(Default)]
pub struct Media {
    /// The superblock that counts.
    pub superblock: Option<Superblock>,
    /// The pages that the log restores whole, packed.
    pub restored: BTreeSet<u64>,
}

/// Looks at both.
pub fn look(report: &mut Report) -> Media {
    let mut media = Media::default();
    let outcome = superblock(report).and_then(|found| {
        media.superblock = found;
        match &found {
            Some(superblock) => log(superblock, &mut media.restored, report),
            None => Ok(()),
        }
    });
    if let Err(error) = outcome {
        let place = match &media.superblock {
            Some(superblock) => Place::Log(Lsn(superblock.redo)),
            None => Place::Superblock(0),
        };
        report.add(Finding::damage(place, What::Unreadable, error));
    }
    media
}

/// Reads bytes of the disk.
pub fn read(offset: u64, out: &mut [u8]) -> Result<(), DiskError> {
    let Ok(mut buffer) = IoBuffer::new(out.len().min(STEP)) else {
        return Err(DiskError::Io);
    };
    for (at, piece) in out.chunks_mut(STEP).enumerate() {
        let place = offset + (at * STEP) as u64;
        let data = buffer.slice(0, piece.len());
        transfer(Urgency::Background, Op::Read, place, data)?;
        let bytes = buffer.bytes_when_back();
        piece.copy_from_slice(bytes.get(..piece.len()).ok_or(DiskError::Io)?);
    }
    Ok(())
}

/// The one that counts; none on a blank disk, or when both are damaged.
fn superblock(report: &mut Report) -> Result<Option<Superblock>, DiskError> {
    let capacity = nvme_port::geometry()?.capacity;
    let mut copies = [0, 1].map(|_| vec![0u8; BLOCK as usize]);
    for (place, copy) in COPIES.iter().zip(&mut copies) {
        read(*place, copy)?;
    }
    let blank = vec![0u8; BLOCK as usize];
    for (number, copy) in copies.iter().enumerate() {
        let place = Place::Superblock(number as u8);
        match Superblock::find([copy, &blank], capacity) {
            Ok(Found::Valid(_)) => {}
            // Formatting was cut short behind the first copy, or nothing is here.
            Ok(Found::Blank) => {
                report.add(Finding::note(place, What::Superblock, "never written"));
            }
            // A copy fills one sector, so no power cut tears it.
            Err(SuperblockError::Damaged) => {
                report.add(Finding::damage(place, What::Superblock, "not as written"));
            }
            Err(error) => report.add(Finding::damage(place, What::Superblock, error)),
        }
    }
    match Superblock::find([&copies[0], &copies[1]], capacity) {
        Ok(Found::Valid(superblock)) => Ok(Some(superblock)),
        _ => Ok(None),
    }
}

/// The bytes of the region from a position on, as far as they were asked for.
struct Region {
    offset: u64,
    size: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Region {
    /// Makes the bytes up to the position `to` available, at most one turn.
    fn reach(&mut self, to: u64) -> Result<(), DiskError> {
        let to = to.min(self.start + self.size);
        while self.start + (self.bytes.len() as u64) < to {
            let at = self.start + self.bytes.len() as u64;
            let len = (self.size - at % self.size).min(STEP as u64);
            let len = len.min(self.start + self.size - at) as usize;
            let old = self.bytes.len();
            self.bytes.resize(old + len, 0);
            read(self.offset + at % self.size, &mut self.bytes[old..])?;
        }
        Ok(())
    }

    fn from(&self, at: u64) -> &[u8] {
        let skip = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.bytes.get(skip..).unwrap_or(&[])
    }
}

fn log(
    superblock: &Superblock,
    restored: &mut BTreeSet<u64>,
    report: &mut Report,
) -> Result<(), DiskError> {
    // The region is read in whole blocks.
    let start = superblock.redo / BLOCK * BLOCK;
    let mut region = Region {
        offset: LOG_OFFSET,
        size: superblock.log_size,
        start,
        bytes: Vec::new(),
    };
    let durable = pg_wal_port::is_open().then(pg_wal_port::flushed);
    let end = records(superblock, &mut region, durable, restored, report)?;
    if let Some(durable) = durable {
        // A checkpoint may have freed what was being read.
        let freed = pg_wal_port::superblock().is_some_and(|now| now.redo > superblock.redo);
        if end < durable && !freed {
            let what = format!("durable up to {durable}, readable up to here");
            report.add(Finding::damage(Place::Log(end), What::Gap, what));
        }
        return Ok(());
    }
    behind(superblock, &mut region, end, report)
}

/// Counts the records; where they end.
fn records(
    superblock: &Superblock,
    region: &mut Region,
    durable: Option<Lsn>,
    restored: &mut BTreeSet<u64>,
    report: &mut Report,
) -> Result<Lsn, DiskError> {
    let mut at = superblock.redo;
    let most = durable.map_or(u64::MAX, |d| d.0);
    let mut need = HEADER;
    while at + need as u64 <= most && need <= MAX_RECORD {
        region.reach(at + need as u64)?;
        match Record::parse(region.from(at), at, superblock.epoch) {
            Parsed::More(more) if more > need => need = more,
            Parsed::More(_) | Parsed::Nothing => break,
            Parsed::Record(record) => {
                report.looked.records += 1;
                match Body::parse(record.body(), record.blocks()) {
                    Some(body) => {
                        let whole = body.blocks().iter().filter(|b| b.how != How::Change);
                        restored.extend(whole.map(|b| b.page.pack()));
                    }
                    None => report.add(Finding::damage(Place::Log(Lsn(at)), What::Record, "")),
                }
                at = record.end();
                need = HEADER;
            }
        }
    }
    Ok(Lsn(at))
}

/// What lies behind the end of the log.
fn behind(
    superblock: &Superblock,
    region: &mut Region,
    end: Lsn,
    report: &mut Report,
) -> Result<(), DiskError> {
    region.reach(u64::MAX)?;
    let bytes = region.from(end.0);
    if get_u64(bytes, 8) == end.0 && end.0 != 0 {
        let what = "the last write of a power cut, or damage";
        report.add(Finding::note(Place::Log(end), What::TornEnd, what));
    }
    let mut first = None;
    let mut known = 0;
    for skip in (8..bytes.len()).step_by(8) {
        let at = end.0 + skip as u64;
        let rest = &bytes[skip..];
        // Cheap first: few places hold their own address.
        if get_u64(rest, 8) != at || get_u32(rest, 24) != superblock.epoch {
            continue;
        }
        if let Parsed::Record(record) = Record::parse(rest, at, superblock.epoch) {
            first.get_or_insert(Lsn(at));
            known = known.max(record.durable());
        }
    }
    if known > end.0 {
        let what = format!("durable up to {} at least, readable up to here", Lsn(known));
        report.add(Finding::damage(Place::Log(end), What::Gap, what));
    } else if let Some(first) = first {
        let what = format!("records go on at {first}: writes that a power cut has cut short");
        report.add(Finding::note(Place::Log(end), What::Gap, what));
    }
    Ok(())
}
