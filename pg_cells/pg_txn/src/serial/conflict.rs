//! Conflicts between a reader and a writer, and which of them are dangerous.
//!
//! Who fails: the pivot where that is still possible, so that a transaction that
//! is run again does not fail for the same reason again.

use alloc::vec::Vec;
use pg_txn_port::serial_state::{NEVER, OldXid, Serial, Xact};
use pg_txn_port::{ReadTarget, SerialFailure, TxnError, Xid};

type Checked = Result<(), SerialFailure>;

/// The caller's snapshot does not show what `xid` did to something it has read.
pub fn unseen(serial: &mut Serial, me: u64, xid: Xid) -> Checked {
    let Some(mine) = serial.xacts.get_mut(&me) else {
        return Ok(());
    };
    if mine.doomed {
        return Err(SerialFailure::PivotConflictOut);
    }
    let Some(&writer) = serial.by_xid.get(&xid.0) else {
        return match summarised(serial, xid) {
            Some(old) => unseen_old(serial, me, xid, old),
            None => Ok(()),
        };
    };
    if writer == me {
        return Ok(());
    }
    let (read_only, snapshot) = (mine.read_only, mine.snapshot);
    let known = mine.outs.contains(&writer);
    let Some(other) = serial.xacts.get_mut(&writer) else {
        return Ok(());
    };
    if other.summary_out {
        // What it did not see committed first, and nobody knows any more when:
        // before our snapshot perhaps.
        if other.is_prepared() {
            return Err(SerialFailure::ConflictOutToOldPivot(None));
        }
        other.doomed = true;
        return Ok(());
    }
    if read_only && other.is_committed() && snapshot < other.earliest_out {
        // A reader counts as having run before all of them.
        return Ok(());
    }
    if known {
        return Ok(());
    }
    flag(serial, Some(me), writer, me)
}

/// What is left of a transaction that was summarised.
fn summarised(serial: &Serial, xid: Xid) -> Option<OldXid> {
    let forgotten = OldXid {
        commit: NEVER,
        earliest_out: 0,
    };
    let known = serial.old_xids.get(&xid.0).copied();
    known.or((xid.0 <= serial.forgotten_xid).then_some(forgotten))
}

fn unseen_old(serial: &mut Serial, me: u64, xid: Xid, old: OldXid) -> Checked {
    let Some(mine) = serial.xacts.get_mut(&me) else {
        return Ok(());
    };
    if old.earliest_out != NEVER && (!mine.read_only || old.earliest_out <= mine.snapshot) {
        return Err(SerialFailure::ConflictOutToOldPivot(Some(xid)));
    }
    if mine.summary_in || !mine.ins.is_empty() {
        return Err(SerialFailure::PivotToOld(xid));
    }
    mine.summary_out = true;
    Ok(())
}

/// The caller is about to change `target`: those who have read it, or what
/// contains it (with `all`: or is in it), will not have seen that.
pub fn write(serial: &mut Serial, me: u64, target: ReadTarget, all: bool) -> Result<(), TxnError> {
    let Some(mine) = serial.xacts.get_mut(&me) else {
        return Ok(());
    };
    if mine.doomed {
        return Err(SerialFailure::PivotConflictIn.into());
    }
    mine.wrote = true;
    let snapshot = mine.snapshot;
    let mut readers = Vec::new();
    let mut old = 0;
    if all {
        let places = ReadTarget::page(target.file, 0)..=ReadTarget::file(target.file);
        let found = serial.readers.range(places.clone());
        readers.extend(found.flat_map(|(_, ids)| ids).copied());
        let commits = serial.old_readers.range(places).map(|(_, commit)| *commit);
        old = commits.max().unwrap_or(0);
    } else {
        let mut next = Some(target);
        while let Some(place) = next {
            readers.extend(serial.readers.get(&place).into_iter().flatten().copied());
            old = old.max(serial.old_readers.get(&place).copied().unwrap_or(0));
            next = place.around();
        }
    }
    for reader in readers {
        let Some(other) = serial.xacts.get(&reader).filter(|_| reader != me) else {
            continue;
        };
        let concurrent = other.committed > snapshot;
        if concurrent && !other.doomed && !other.outs.contains(&me) {
            flag(serial, Some(reader), me, me)?;
        }
    }
    if old > snapshot {
        flag(serial, None, me, me)?;
    }
    Ok(())
}

/// Notes reader → writer; one of the two is the caller, and a summarised reader
/// is none. Fails when the caller has to; otherwise dooms who has to.
fn flag(serial: &mut Serial, reader: Option<u64>, writer: u64, me: u64) -> Checked {
    if is_dangerous(serial, reader, writer) {
        let Some(pivot) = serial.xacts.get_mut(&writer) else {
            return Ok(());
        };
        if writer == me {
            return Err(SerialFailure::PivotWrite);
        }
        if pivot.is_prepared() {
            let xid = Xid(pivot.xids.first().copied().unwrap_or(0));
            return Err(SerialFailure::ConflictOutToPivot(xid));
        }
        pivot.doomed = true;
    }
    if let Some(written) = serial.xacts.get_mut(&writer) {
        match reader {
            Some(reader) => written.ins.push(reader),
            None => written.summary_in = true,
        }
    }
    if let Some(read) = reader.and_then(|r| serial.xacts.get_mut(&r)) {
        read.outs.push(writer);
    }
    Ok(())
}

/// Whether reader → writer completes two conflicts in a row whose last
/// transaction may have committed first.
fn is_dangerous(serial: &Serial, reader: Option<u64>, writer: u64) -> bool {
    let Some(written) = serial.xacts.get(&writer) else {
        return false;
    };
    // The writer as pivot, with something it did not see that is only noted.
    if written.summary_out || written.is_committed() && written.earliest_out != NEVER {
        return true;
    }
    let read = reader.and_then(|r| serial.xacts.get(&r));
    // The writer as pivot: reader → writer → third.
    let third_is_first = |third: &Xact| {
        let before = |moment: u64| third.prepared <= moment;
        // Of a summarised reader's commit it is known that all before it are
        // summarised too: no third that is still here was before it.
        let reader_later =
            read.is_some_and(|r| before(r.committed) && (!r.read_only || before(r.snapshot)));
        third.is_prepared() && before(written.committed) && reader_later
    };
    let mut thirds = written.outs.iter().filter_map(|t| serial.xacts.get(t));
    if thirds.any(third_is_first) {
        return true;
    }
    // The reader as pivot: first → reader → writer, the writer committing first.
    let Some(read) = read.filter(|r| written.is_prepared() && !r.read_only) else {
        return false;
    };
    let first_is_later = |first: &Xact| {
        !first.doomed
            && first.committed >= written.prepared
            && (!first.read_only || first.snapshot >= written.prepared)
    };
    let mut firsts = read.ins.iter().filter_map(|t| serial.xacts.get(t));
    read.summary_in || firsts.any(first_is_later)
}

/// Clears the caller for its commit, or fails it. From then on it cannot fail;
/// whoever would be the pivot behind it is doomed.
pub fn prepare(serial: &mut Serial, me: u64) -> Result<(), TxnError> {
    let Some(mine) = serial.xacts.get(&me) else {
        return Ok(());
    };
    if mine.doomed {
        return Err(SerialFailure::PivotCommit.into());
    }
    for pivot in mine.ins.clone() {
        let Some(near) = serial.xacts.get(&pivot) else {
            continue;
        };
        if near.is_committed() || near.doomed {
            continue;
        }
        let far = |id: &u64| {
            *id == me
                || serial
                    .xacts
                    .get(id)
                    .is_some_and(|far| !far.is_committed() && !far.read_only && !far.doomed)
        };
        if !near.ins.iter().any(far) {
            continue;
        }
        if near.is_prepared() {
            return Err(SerialFailure::ConflictInFromPrepared.into());
        }
        if let Some(near) = serial.xacts.get_mut(&pivot) {
            near.doomed = true;
        }
    }
    serial.now += 1;
    let now = serial.now;
    if let Some(mine) = serial.xacts.get_mut(&me) {
        mine.prepared = now;
    }
    Ok(())
}
