//! The catalog's control page: whether the catalogs are complete, of which
//! layout, and the next object id.
//!
//! ```text
//! file 4, page 0   24: magic u64 | 32: layout u32 | 36: complete u32 | 40: next id u32
//! ```
//! The layout is that of the built-in rows; see [`LAYOUT`]. The counter moves in
//! a mini-transaction of its own before the ids are used, so whatever carries an
//! id is later in the log than the counter that is past it.

use crate::error::OrSql;
use alloc::format;
use pg_buffer_port::{BufferError, FileId, Fork, MiniTx, PageId};
use pg_page::{HEADER_SIZE, get_u32, get_u64, header};
use pg_types::oid::FIRST_NORMAL;
use pg_types::{Oid, SqlError, SqlResult, SqlState};

/// The file.
pub const FILE: FileId = FileId::new(4, Fork::Main);
/// The page's kind.
pub const KIND: u8 = 20;
/// The layout of the built-in rows in `pg_class` and `pg_attribute`. Increase it
/// with each change of the tables in `schema`: the rows are written anew when a
/// database of another layout is opened.
pub const LAYOUT: u32 = 2;

const MAGIC: u64 = u64::from_le_bytes(*b"mitoscat");
const MAGIC_AT: usize = HEADER_SIZE;
const LAYOUT_AT: usize = HEADER_SIZE + 8;
const COMPLETE_AT: usize = HEADER_SIZE + 12;
const NEXT_AT: usize = HEADER_SIZE + 16;
/// Ids are file numbers too, which have 30 bits.
const MAX_OID: Oid = (1 << 30) - 1;

const PAGE: PageId = PageId {
    file: FILE,
    block: 0,
};

/// How far the catalogs are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// There is nothing, or not all of it.
    Missing,
    /// They are complete, with built-in rows of this layout.
    Complete(u32),
}

/// Looks at the page.
///
/// # Errors
/// XX001 when it is something else; failures of the storage.
pub fn state() -> SqlResult<State> {
    let page = match pg_buffer_port::read_page(PAGE) {
        Ok(page) => page,
        Err(BufferError::NoSuchPage { .. }) => return Ok(State::Missing),
        Err(error) => return Err(error).sql(),
    };
    if header::kind(&page) == 0 {
        return Ok(State::Missing);
    }
    if header::kind(&page) != KIND || get_u64(&page[..], MAGIC_AT) != MAGIC {
        return Err(SqlError::new(
            SqlState::DATA_CORRUPTED,
            "the catalog's control page is damaged",
        ));
    }
    Ok(match get_u32(&page[..], COMPLETE_AT) {
        0 => State::Missing,
        _ => State::Complete(get_u32(&page[..], LAYOUT_AT)),
    })
}

/// Makes the page, if it is not there: incomplete, ids from the first of users.
///
/// # Errors
/// Failures of the storage.
pub fn create() -> SqlResult<()> {
    let mut mtx = MiniTx::begin(0);
    let slot = match pg_buffer_port::blocks(FILE) {
        Ok(1..) => mtx.latch(PAGE).sql()?,
        Ok(0) => mtx.extend(FILE).sql()?.0,
        Err(_) => {
            pg_buffer_port::create_file(&mut mtx, FILE).sql()?;
            mtx.extend(FILE).sql()?.0
        }
    };
    if header::kind(mtx.page(slot)) == 0 {
        mtx.init(slot, KIND, 0);
        mtx.write(slot, MAGIC_AT, &MAGIC.to_le_bytes());
        mtx.write(slot, NEXT_AT, &FIRST_NORMAL.to_le_bytes());
    }
    mtx.commit().sql()?;
    Ok(())
}

/// Notes that the catalogs are complete, durably.
///
/// # Errors
/// Failures of the storage.
pub fn set_complete() -> SqlResult<()> {
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(PAGE).sql()?;
    mtx.write(slot, LAYOUT_AT, &LAYOUT.to_le_bytes());
    mtx.write(slot, COMPLETE_AT, &1u32.to_le_bytes());
    let lsn = mtx.commit().sql()?;
    pg_wal_port::flush(lsn).map_err(BufferError::from).sql()
}

/// Takes `count` new ids; they follow the one given.
///
/// # Errors
/// 54000 when there are none left; failures of the storage.
pub fn new_oids(count: u32) -> SqlResult<Oid> {
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(PAGE).sql()?;
    let first = get_u32(&mtx.page(slot)[..], NEXT_AT);
    let next = first.checked_add(count).filter(|next| *next <= MAX_OID);
    let Some(next) = next else {
        return Err(SqlError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("all {MAX_OID} object ids are used up"),
        ));
    };
    mtx.write(slot, NEXT_AT, &next.to_le_bytes());
    mtx.commit().sql()?;
    Ok(first)
}
