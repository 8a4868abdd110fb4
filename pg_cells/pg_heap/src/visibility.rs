//! Which versions a snapshot sees, and what is known of the two transactions a
//! version names. The rules are those of PostgreSQL's `heapam_visibility.c`.

use pg_heap_port::HeapError;
use pg_page::tuple_header::{TupleHeader, bits};
use pg_txn_port::{Sight, Snapshot, Xid, XidStatus, status};

/// What became of the version's maker. Collects a hint when it is news.
#[inline]
pub fn xmin_status(header: &TupleHeader, hints: &mut u16) -> Result<XidStatus, HeapError> {
    if header.has(bits::XMIN_COMMITTED) {
        return Ok(XidStatus::Committed);
    }
    if header.has(bits::XMIN_ABORTED) {
        return Ok(XidStatus::Aborted);
    }
    let status = status(Xid(header.xmin))?;
    match status {
        XidStatus::Committed => *hints |= bits::XMIN_COMMITTED,
        XidStatus::Aborted => *hints |= bits::XMIN_ABORTED,
        XidStatus::InProgress => {}
    }
    Ok(status)
}

/// What became of who ended or locked the version: aborted when it is nobody.
/// Collects a hint when it is news. Committed means nothing for a lock.
#[inline]
pub fn xmax_status(header: &TupleHeader, hints: &mut u16) -> Result<XidStatus, HeapError> {
    if header.xmax == 0 || header.has(bits::XMAX_INVALID) {
        return Ok(XidStatus::Aborted);
    }
    if header.has(bits::XMAX_COMMITTED) {
        return Ok(XidStatus::Committed);
    }
    let status = status(Xid(header.xmax))?;
    match status {
        XidStatus::Committed if header.has(bits::XMAX_LOCK_ONLY) => *hints |= bits::XMAX_INVALID,
        XidStatus::Committed => *hints |= bits::XMAX_COMMITTED,
        XidStatus::Aborted => *hints |= bits::XMAX_INVALID,
        XidStatus::InProgress => {}
    }
    Ok(status)
}

/// Whether the version has nobody who replaced or deleted it, as far as its
/// marks say.
#[inline]
fn is_unended(header: &TupleHeader) -> bool {
    header.xmax == 0 || header.infomask & (bits::XMAX_INVALID | bits::XMAX_LOCK_ONLY) != 0
}

/// Whether `snapshot` sees the version. Collects hints.
#[inline]
pub fn is_visible(
    header: &TupleHeader,
    snapshot: &Snapshot,
    hints: &mut u16,
) -> Result<bool, HeapError> {
    let xmin = Xid(header.xmin);
    if header.has(bits::XMIN_COMMITTED) {
        if snapshot.is_running(xmin) {
            return Ok(false);
        }
    } else if snapshot.is_own(xmin) {
        if header.cmin >= snapshot.command().0 {
            return Ok(false);
        }
    } else if snapshot.is_running(xmin) || xmin_status(header, hints)? != XidStatus::Committed {
        return Ok(false);
    }
    if is_unended(header) {
        return Ok(true);
    }
    let xmax = Xid(header.xmax);
    if snapshot.is_own(xmax) {
        return Ok(header.cmax >= snapshot.command().0);
    }
    if snapshot.is_running(xmax) {
        return Ok(true);
    }
    Ok(xmax_status(header, hints)? != XidStatus::Committed)
}

/// What a version is to everyone, now and later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Nobody has ended it.
    Live,
    /// It was ended, and someone may still see it.
    RecentlyDead,
    /// It was ended, and nobody sees it, though someone may see an older version of
    /// its row.
    Hidden,
    /// Nobody sees it any more, nor any version before it.
    Dead,
    /// Its maker or who ends it still runs.
    Undecided,
}

impl Fate {
    /// Whether nobody sees the version.
    pub fn is_over(self) -> bool {
        matches!(self, Fate::Hidden | Fate::Dead)
    }
}

/// How many different transactions [`Known`] remembers.
const REMEMBERED: usize = 16;

/// How the transactions asked for last ended: the versions of one page have few
/// different makers, and the one who ends a version made the next one.
#[derive(Default)]
pub struct Known([Option<(u64, XidStatus)>; REMEMBERED]);

impl Known {
    fn status(&mut self, xid: u64) -> Result<XidStatus, HeapError> {
        let place = &mut self.0[xid as usize % REMEMBERED];
        match *place {
            Some((known, status)) if known == xid => Ok(status),
            _ => {
                let status = status(Xid(xid))?;
                *place = Some((xid, status));
                Ok(status)
            }
        }
    }

    /// What the version is to those who look now, or later. Collects hints.
    pub fn fate(
        &mut self,
        header: &TupleHeader,
        sight: &Sight,
        hints: &mut u16,
    ) -> Result<Fate, HeapError> {
        if !header.has(bits::XMIN_COMMITTED) {
            if header.has(bits::XMIN_ABORTED) {
                return Ok(Fate::Dead);
            }
            match self.status(header.xmin)? {
                XidStatus::Aborted => return Ok(Fate::Dead),
                XidStatus::InProgress => return Ok(Fate::Undecided),
                XidStatus::Committed => *hints |= bits::XMIN_COMMITTED,
            }
        }
        if is_unended(header) {
            return Ok(Fate::Live);
        }
        let ended = if header.has(bits::XMAX_COMMITTED) {
            XidStatus::Committed
        } else {
            self.status(header.xmax)?
        };
        Ok(match ended {
            XidStatus::Aborted => Fate::Live,
            XidStatus::InProgress => Fate::Undecided,
            XidStatus::Committed if Xid(header.xmax) < sight.horizon => Fate::Dead,
            XidStatus::Committed if sight.hides(Xid(header.xmin), Xid(header.xmax)) => Fate::Hidden,
            XidStatus::Committed => Fate::RecentlyDead,
        })
    }
}
