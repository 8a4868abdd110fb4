//! Serializable transactions by themselves: T1, T2, ... read and write places of
//! an imagined file.

use super::ended::FINISHED;
use super::locks::{PLACES_OF_FILE, ROWS_OF_PAGE};
use super::*;
use crate::Manager;
use pg_txn_port::serial_state::Serial;
use pg_txn_port::{
    Assigned, ProcId, ReadTarget, SerialFailure, SerialStart, TransactionManager, TxnState,
};

const F: u32 = 20_000 << 2;

fn manager() -> Manager {
    let state = TxnState::new(Xid::FIRST);
    state.with(|s| s.reserved = 1_000_000).unwrap();
    Manager {
        state,
        kept: port::Kept::of(None, false),
    }
}

fn row(n: u16) -> ReadTarget {
    ReadTarget::row(F, 0, n)
}

/// A transaction: its place, and its id once it has one.
struct T<'a> {
    m: &'a Manager,
    proc: ProcId,
    xid: Option<Xid>,
}

impl<'a> T<'a> {
    fn begin_as(m: &'a Manager, read_only: bool) -> (Self, SerialStart) {
        let proc = m.begin();
        let start = m.serial_begin(proc, Xid::MAX, read_only, false).unwrap();
        (T { m, proc, xid: None }, start)
    }

    fn begin(m: &'a Manager) -> Self {
        let (t, start) = T::begin_as(m, false);
        assert!(matches!(start, SerialStart::Tracked(_)));
        t
    }

    fn read(&self, n: u16) -> Result<ReadReply, TxnError> {
        self.m.serial_read(self.proc, Some(row(n)), &[])
    }

    /// Meets the change of a concurrent transaction.
    fn misses(&self, writer: &T<'_>) -> Result<ReadReply, TxnError> {
        let by = writer.xid.expect("it wrote");
        self.m.serial_read(self.proc, None, &[by])
    }

    fn write(&mut self, n: u16) -> Result<(), TxnError> {
        if self.xid.is_none() {
            let Assigned::Xid(xid) = self.m.assign(self.proc).unwrap() else {
                panic!("nothing reserved");
            };
            self.m.serial_assigned(self.proc, xid).unwrap();
            self.xid = Some(xid);
        }
        self.m.serial_write(self.proc, row(n), false)
    }

    fn commit(&self) -> Result<(), TxnError> {
        let cleared = self.m.serial_prepare(self.proc);
        self.m.serial_end(self.proc, cleared.is_ok());
        cleared
    }

    fn abort(&self) {
        self.m.serial_end(self.proc, false);
    }
}

fn is_empty(m: &Manager) -> bool {
    let empty = |s: &mut Serial| {
        s.xacts.is_empty()
            && s.active.is_empty()
            && s.finished.is_empty()
            && s.by_xid.is_empty()
            && s.readers.is_empty()
            && s.locks == 0
            && s.old_readers.is_empty()
            && s.old_xids.is_empty()
    };
    m.state.with_serial(empty).unwrap()
}

fn failed(result: Result<impl core::fmt::Debug, TxnError>) -> SerialFailure {
    match result {
        Err(TxnError::Dependency(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn write_skew_fails_the_second_to_commit() {
    let m = manager();
    let (mut a, mut b) = (T::begin(&m), T::begin(&m));
    for t in [&a, &b] {
        t.read(1).unwrap();
        t.read(2).unwrap();
    }
    a.write(1).unwrap();
    b.write(2).unwrap();
    assert_eq!(a.commit(), Ok(()));
    assert_eq!(failed(b.commit()), SerialFailure::PivotCommit);
    assert!(is_empty(&m));
}

#[test]
fn one_conflict_alone_fails_nobody() {
    let m = manager();
    let (mut a, mut b) = (T::begin(&m), T::begin(&m));
    a.read(1).unwrap();
    b.write(1).unwrap();
    a.write(9).unwrap();
    assert_eq!(b.commit(), Ok(()));
    assert_eq!(a.commit(), Ok(()));
    assert!(is_empty(&m));
}

#[test]
fn two_conflicts_fail_nobody_when_the_last_does_not_commit_first() {
    let m = manager();
    // first -> pivot -> last; the first one commits before the last.
    let (mut first, mut pivot, mut last) = (T::begin(&m), T::begin(&m), T::begin(&m));
    first.read(1).unwrap();
    first.write(8).unwrap();
    pivot.write(1).unwrap();
    pivot.read(2).unwrap();
    assert_eq!(first.commit(), Ok(()));
    last.write(2).unwrap();
    assert_eq!(last.commit(), Ok(()));
    assert_eq!(pivot.commit(), Ok(()));
}

#[test]
fn the_pivot_fails_when_the_last_has_committed_first() {
    let m = manager();
    let (mut first, mut pivot, mut last) = (T::begin(&m), T::begin(&m), T::begin(&m));
    pivot.read(2).unwrap();
    last.write(2).unwrap();
    assert_eq!(last.commit(), Ok(()));
    first.read(1).unwrap();
    first.write(8).unwrap();
    assert_eq!(failed(pivot.write(1)), SerialFailure::PivotWrite);
    pivot.abort();
    assert_eq!(first.commit(), Ok(()));
    assert!(is_empty(&m));
}

#[test]
fn a_reader_beside_a_pivot_that_has_committed_fails_itself() {
    let m = manager();
    let (first, mut pivot, mut last) = (T::begin(&m), T::begin(&m), T::begin(&m));
    pivot.read(2).unwrap();
    last.write(2).unwrap();
    last.commit().unwrap();
    pivot.write(1).unwrap();
    pivot.commit().unwrap();
    let failure = failed(first.misses(&pivot));
    assert_eq!(
        failure,
        SerialFailure::ConflictOutToPivot(pivot.xid.unwrap())
    );
    first.abort();
    assert!(is_empty(&m));
}

#[test]
fn a_read_only_transaction_counts_only_what_committed_before_its_snapshot() {
    for late in [false, true] {
        let m = manager();
        let (mut pivot, mut last) = (T::begin(&m), T::begin(&m));
        pivot.read(2).unwrap();
        last.write(2).unwrap();
        let early = (!late).then(|| T::begin_as(&m, true).0);
        last.commit().unwrap();
        pivot.write(1).unwrap();
        let reader = early.unwrap_or_else(|| T::begin_as(&m, true).0);
        pivot.commit().unwrap();
        let met = reader.misses(&pivot);
        if late {
            let pivot = pivot.xid.unwrap();
            assert_eq!(failed(met), SerialFailure::ConflictOutToPivot(pivot));
        } else {
            assert!(met.is_ok());
        }
        reader.abort();
        assert!(is_empty(&m));
    }
}

#[test]
fn a_snapshot_is_safe_once_no_writer_beside_it_can_harm_it() {
    let m = manager();
    let (_, start) = T::begin_as(&m, true);
    assert!(matches!(start, SerialStart::Safe(_)));
    let mut writer = T::begin(&m);
    writer.write(1).unwrap();
    let (reader, start) = T::begin_as(&m, true);
    assert!(matches!(start, SerialStart::Tracked(_)));
    assert_eq!(reader.read(1), Ok(ReadReply::Covered(row(1))));
    writer.commit().unwrap();
    assert_eq!(reader.read(1), Ok(ReadReply::Safe));
    reader.commit().unwrap();
    assert!(is_empty(&m));
}

#[test]
fn a_deferrable_reader_waits_until_it_is_known() {
    for harmful in [false, true] {
        let m = manager();
        let (mut pivot, mut last) = (T::begin(&m), T::begin(&m));
        pivot.read(2).unwrap();
        last.write(2).unwrap();
        if harmful {
            last.commit().unwrap();
        }
        pivot.write(1).unwrap();
        let reader = m.begin();
        let start = m.serial_begin(reader, Xid::MAX, true, true).unwrap();
        let SerialStart::Wait(_, done) = start else {
            panic!("{start:?}");
        };
        assert_eq!(done.poll(), None);
        pivot.commit().unwrap();
        if !harmful {
            assert_eq!(done.poll(), None);
            last.abort();
        }
        assert_eq!(done.poll(), Some(pg_txn_port::GRANTED));
        assert_eq!(m.serial_is_safe(reader), Ok(!harmful));
        m.serial_end(reader, true);
        assert!(is_empty(&m));
    }
}

#[test]
fn many_reads_become_few_locks() {
    let m = manager();
    let (a, mut b) = (T::begin(&m), T::begin(&m));
    for n in 1..=ROWS_OF_PAGE as u16 {
        assert_eq!(a.read(n), Ok(ReadReply::Covered(row(n))));
    }
    let page = ReadTarget::page(F, 0);
    assert_eq!(a.read(100), Ok(ReadReply::Covered(page)));
    assert_eq!(m.state.with_serial(|s| s.locks), Some(1));
    for block in 1..=PLACES_OF_FILE {
        let place = ReadTarget::row(F, block, 1);
        m.serial_read(a.proc, Some(place), &[]).unwrap();
    }
    assert_eq!(m.state.with_serial(|s| s.locks), Some(1));
    // A row that nobody named is read all the same.
    b.write(200).unwrap();
    assert_eq!(
        m.state.with_serial(|s| s.xacts[&b.proc.serial].ins.len()),
        Some(1)
    );
    a.abort();
    b.abort();
    assert!(is_empty(&m));
}

#[test]
fn a_split_page_is_read_on_both_sides() {
    let m = manager();
    let (a, b) = (T::begin(&m), T::begin(&m));
    let page = |block| ReadTarget::page(F, block);
    m.serial_read(a.proc, Some(page(3)), &[]).unwrap();
    m.serial_split(F, 3, &[7, 8]);
    m.serial_write(b.proc, page(8), false).unwrap();
    assert_eq!(
        m.state.with_serial(|s| s.xacts[&b.proc.serial].ins.len()),
        Some(1)
    );
    // The same when the file is another one by now.
    let c = T::begin(&m);
    m.serial_replaced(F, F + 4);
    m.serial_write(c.proc, ReadTarget::row(F + 4, 9, 9), false)
        .unwrap();
    assert_eq!(
        m.state.with_serial(|s| s.xacts[&c.proc.serial].ins.len()),
        Some(1)
    );
    for t in [a, b, c] {
        t.abort();
    }
    assert!(is_empty(&m));
}

#[test]
fn a_rolled_back_savepoint_is_missed_by_nobody() {
    let m = manager();
    let (mut a, b) = (T::begin(&m), T::begin(&m));
    a.write(1).unwrap();
    let xid = a.xid.unwrap();
    m.serial_rolled_back(a.proc, &[xid]).unwrap();
    b.misses(&a).unwrap();
    assert_eq!(
        m.state.with_serial(|s| s.xacts[&b.proc.serial].outs.len()),
        Some(0)
    );
    a.abort();
    b.abort();
    assert!(is_empty(&m));
}

#[test]
fn summarised_transactions_still_fail_who_could_be_part_of_an_anomaly() {
    let m = manager();
    // It runs all the time, so nothing can be forgotten.
    let mut old = T::begin(&m);
    old.read(1).unwrap();
    let mut last = T::begin(&m);
    last.write(1).unwrap();
    last.read(2).unwrap();
    last.commit().unwrap();
    let size = |m: &Manager| m.state.with_serial(|s| s.xacts.len()).unwrap();
    for n in 0..FINISHED as u32 + 50 {
        let mut t = T::begin(&m);
        t.write(3).unwrap();
        let place = ReadTarget::row(F, 10 + n, 1);
        m.serial_read(t.proc, Some(place), &[]).unwrap();
        t.commit().unwrap();
        assert!(size(&m) <= FINISHED + 2);
    }
    // `old` missed a change of a summarised one. Who wrote what a summarised one
    // had read, and was missed: a pivot for all that is known.
    assert!(
        m.state
            .with_serial(|s| s.xacts[&old.proc.serial].summary_out)
            .unwrap()
    );
    let read_by_old = ReadTarget::row(F, 10, 1);
    assert!(
        m.state
            .with_serial(|s| s.old_readers.contains_key(&read_by_old))
            .unwrap()
    );
    assert_eq!(failed(old.write(2)), SerialFailure::PivotWrite);
    old.abort();
    assert!(is_empty(&m));
}

#[test]
fn all_of_a_file_is_read_by_whoever_read_a_part() {
    let m = manager();
    let (a, b) = (T::begin(&m), T::begin(&m));
    a.read(5).unwrap();
    m.serial_write(b.proc, ReadTarget::file(F), false).unwrap();
    assert_eq!(
        m.state.with_serial(|s| s.xacts[&b.proc.serial].ins.len()),
        Some(0)
    );
    m.serial_write(b.proc, ReadTarget::file(F), true).unwrap();
    assert_eq!(
        m.state.with_serial(|s| s.xacts[&b.proc.serial].ins.len()),
        Some(1)
    );
    a.abort();
    b.abort();
}

#[test]
fn whoever_is_cleared_for_commit_fails_no_more() {
    let m = manager();
    let (mut pivot, mut other) = (T::begin(&m), T::begin(&m));
    pivot.read(1).unwrap();
    pivot.write(2).unwrap();
    other.misses(&pivot).unwrap();
    m.serial_prepare(pivot.proc).unwrap();
    assert_eq!(failed(other.write(1)), SerialFailure::PivotWrite);
    m.serial_end(pivot.proc, true);
    other.abort();
    assert!(is_empty(&m));
}
