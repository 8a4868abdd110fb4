//! Sequences: the next value, and setting it.
//!
//! ```text
//! a sequence's file, page 0   24: value i64 | 32: called u8
//! ```
//! The page says what was logged: `value`, and whether it counts as given out.
//! [`AHEAD`] values are logged at a time; those not given out yet are in stock
//! in memory ([`SHARED`]) and are lost in a crash, never given out twice. A value
//! counts as sure when the log is flushed past its record: who takes one earlier
//! gets a transaction id, so that its commit flushes.
//!
//! Nothing here is undone with a transaction. The page's latch orders those who
//! log; each claims the stock before, and fills it afterwards unless another has
//! claimed it since.

use crate::Catalogs;
use crate::error::{OrSql, lost, no_relation};
use alloc::format;
use alloc::sync::Arc;
use pg_buffer_port::{MiniTx, PageId, Slot};
use pg_catalog_port::{SHARED, Stock};
use pg_page::{HEADER_SIZE, Page, get_u64, header};
use pg_plan::{Relation, SequenceInfo};
use pg_txn_port::Transaction;
use pg_types::{Oid, SqlError, SqlResult, SqlState};
use pg_wal_port::Lsn;

/// The page's kind.
pub const KIND: u8 = 21;
/// Values that are logged beyond the one given out, as in PostgreSQL.
const AHEAD: u32 = 32;

const VALUE_AT: usize = HEADER_SIZE;
const CALLED_AT: usize = HEADER_SIZE + 8;

/// Where a sequence stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The value.
    pub value: i64,
    /// It was given out already.
    pub called: bool,
    /// Values in stock.
    pub stock: u32,
}

fn page_id(file: u32) -> PageId {
    PageId::new(crate::store::main_file(file), 0)
}

/// Makes a sequence's file on behalf of transaction `xid`.
///
/// # Errors
/// Failures of the storage.
pub fn create_file(xid: u64, file: u32, value: i64, called: bool) -> SqlResult<()> {
    let mut mtx = MiniTx::begin(xid);
    let id = crate::store::main_file(file);
    pg_buffer_port::create_file(&mut mtx, id).sql()?;
    let (slot, _) = mtx.extend(id).sql()?;
    mtx.init(slot, KIND, 0);
    write(&mut mtx, slot, value, called);
    mtx.commit().sql()?;
    Ok(())
}

fn write(mtx: &mut MiniTx, slot: Slot, value: i64, called: bool) {
    mtx.write(slot, VALUE_AT, &value.to_le_bytes());
    mtx.write(slot, CALLED_AT, &[u8::from(called)]);
}

fn read(page: &Page, file: u32) -> SqlResult<(i64, bool)> {
    if header::kind(page) != KIND {
        return Err(SqlError::new(
            SqlState::DATA_CORRUPTED,
            format!("file {file} is not a sequence's"),
        ));
    }
    Ok((get_u64(&page[..], VALUE_AT) as i64, page[CALLED_AT] != 0))
}

/// Where the sequence in `file` stands.
///
/// # Errors
/// Failures of the storage.
pub fn position(file: u32) -> SqlResult<Position> {
    let page = pg_buffer_port::read_page(page_id(file)).sql()?;
    let (value, called) = read(&page, file)?;
    // With the latch held nobody logs, so a stock belongs to this page.
    Ok(match SHARED.stock(file, |stock| *stock) {
        Some(stock) if stock.lsn > 0 => Position {
            value: stock.last,
            called: true,
            stock: stock.left,
        },
        _ => Position {
            value,
            called,
            stock: 0,
        },
    })
}

/// Sets where it stands, at once.
///
/// # Errors
/// Failures of the storage.
fn set_position(file: u32, value: i64, called: bool) -> SqlResult<()> {
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(page_id(file)).sql()?;
    read(mtx.page(slot), file)?;
    write(&mut mtx, slot, value, called);
    SHARED.stock(file, |stock| *stock = None);
    mtx.commit().sql()?;
    Ok(())
}

/// The first value to give out, and how many more may be logged with it.
fn plan(name: &str, info: &SequenceInfo, value: i64, called: bool) -> SqlResult<(i64, u32)> {
    let up = info.increment > 0;
    let (end, again) = if up {
        (info.max, info.min)
    } else {
        (info.min, info.max)
    };
    let mut first = value;
    if called {
        let next = value.checked_add(info.increment);
        let within = |v: &i64| if up { *v <= end } else { *v >= end };
        first = match next.filter(within) {
            Some(next) => next,
            None if info.cycle => again,
            None => return Err(exhausted(name, end, up)),
        };
    }
    let room = i128::from(end) - i128::from(first);
    let more = room / i128::from(info.increment);
    Ok((first, more.clamp(0, i128::from(AHEAD)) as u32))
}

#[cold]
fn exhausted(name: &str, end: i64, up: bool) -> SqlError {
    let which = if up { "maximum" } else { "minimum" };
    SqlError::new(
        SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
        format!("nextval: reached {which} value of sequence \"{name}\" ({end})"),
    )
}

impl Catalogs {
    fn sequence_of(&self, tx: &mut Transaction, oid: Oid) -> SqlResult<Arc<Relation>> {
        let relation = self.by_oid(tx, oid)?.ok_or_else(|| no_relation(oid))?;
        if relation.sequence.is_none() {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a sequence", relation.name),
            ));
        }
        Ok(relation)
    }

    /// See [`pg_catalog_port::Catalog::nextval`].
    ///
    /// # Errors
    /// As there.
    pub fn next_value(&self, tx: &mut Transaction, oid: Oid) -> SqlResult<i64> {
        let sequence = self.sequence_of(tx, oid)?;
        let info = sequence.sequence.as_ref();
        let info = info.ok_or_else(|| lost(format!("sequence {oid}")))?;
        refuse_read_only(tx, "nextval", &sequence)?;
        loop {
            if let Some((value, lsn)) = take(sequence.file, info.increment) {
                if pg_wal_port::flushed() < lsn {
                    tx.ensure_xid().sql()?;
                }
                return Ok(value);
            }
            if let Some(value) = log_more(&sequence, info)? {
                tx.ensure_xid().sql()?;
                return Ok(value);
            }
        }
    }

    /// See [`pg_catalog_port::Catalog::setval`].
    ///
    /// # Errors
    /// As there.
    pub fn set_value(
        &self,
        tx: &mut Transaction,
        oid: Oid,
        value: i64,
        called: bool,
    ) -> SqlResult<()> {
        let sequence = self.sequence_of(tx, oid)?;
        let info = sequence.sequence.as_ref();
        let info = info.ok_or_else(|| lost(format!("sequence {oid}")))?;
        refuse_read_only(tx, "setval", &sequence)?;
        if value < info.min || value > info.max {
            return Err(SqlError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!(
                    "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                    sequence.name, info.min, info.max
                ),
            ));
        }
        set_position(sequence.file, value, called)?;
        tx.ensure_xid().sql()?;
        Ok(())
    }
}

fn refuse_read_only(tx: &Transaction, function: &str, sequence: &Relation) -> SqlResult<()> {
    if tx.is_read_only() && !sequence.schema.starts_with("pg_temp") {
        return Err(SqlError::new(
            SqlState::READ_ONLY_SQL_TRANSACTION,
            format!("cannot execute {function}() in a read-only transaction"),
        ));
    }
    Ok(())
}

/// A value from the stock, and the end of its log record.
#[inline]
fn take(file: u32, increment: i64) -> Option<(i64, Lsn)> {
    SHARED.stock(file, |stock| {
        let stock = stock.as_mut().filter(|s| s.left > 0)?;
        // Within the bounds, or it would not have been logged.
        stock.last = stock.last.wrapping_add(increment);
        stock.left -= 1;
        Some((stock.last, Lsn(stock.lsn)))
    })
}

/// Logs more values: gives the first and puts the others in stock. None when
/// there was stock again.
fn log_more(sequence: &Relation, info: &SequenceInfo) -> SqlResult<Option<i64>> {
    let file = sequence.file;
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(page_id(file)).sql()?;
    if SHARED.stock(file, |stock| stock.is_some_and(|s| s.left > 0)) {
        return Ok(None);
    }
    let (value, called) = read(mtx.page(slot), file)?;
    let (first, more) = plan(&sequence.name, info, value, called)?;
    let last = first.wrapping_add(info.increment.wrapping_mul(i64::from(more)));
    write(&mut mtx, slot, last, true);
    let claim = SHARED.new_claim();
    SHARED.stock(file, |stock| {
        *stock = Some(Stock {
            last: first,
            left: 0,
            claim,
            lsn: 0,
        });
    });
    let lsn = mtx.commit().sql()?;
    SHARED.stock(file, |stock| {
        if let Some(stock) = stock.as_mut().filter(|s| s.claim == claim) {
            stock.left = more;
            stock.lsn = lsn.0;
        }
    });
    Ok(Some(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(increment: i64, min: i64, max: i64, cycle: bool) -> SequenceInfo {
        SequenceInfo {
            type_oid: pg_types::oid::INT8,
            start: min,
            increment,
            min,
            max,
            cache: 1,
            cycle,
        }
    }

    #[test]
    fn values_are_planned_within_the_bounds() {
        let plain = info(1, 1, i64::MAX, false);
        assert_eq!(plan("s", &plain, 1, false).unwrap(), (1, AHEAD));
        assert_eq!(plan("s", &plain, 1, true).unwrap(), (2, AHEAD));
        let last = plan("s", &plain, i64::MAX - 1, true).unwrap();
        assert_eq!(last, (i64::MAX, 0));
        let error = plan("s", &plain, i64::MAX, true).unwrap_err();
        assert_eq!(
            error.message(),
            "nextval: reached maximum value of sequence \"s\" (9223372036854775807)"
        );
        let small = info(3, 1, 10, true);
        assert_eq!(plan("s", &small, 1, false).unwrap(), (1, 3));
        assert_eq!(plan("s", &small, 10, true).unwrap(), (1, 3));
        let down = info(-1, -3, -1, false);
        assert_eq!(plan("s", &down, -1, false).unwrap(), (-1, 2));
        assert!(plan("s", &down, -3, true).is_err());
        let wide = info(i64::MIN, i64::MIN, i64::MAX, false);
        assert_eq!(plan("s", &wide, i64::MAX, false).unwrap(), (i64::MAX, 1));
    }
}
