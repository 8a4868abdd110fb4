//! A heap page's layout, and the changes of one.
//!
//! ```text
//! header | item pointers ... free ... items | special: prune hint u64
//! ```
//! - flag `FREE_SLOTS`: some pointer may be unused.
//! - flag `ALL_VISIBLE`: everyone sees every version here (`all_visible`).
//! - *prune hint*: the least xmax since the page was last pruned, 0 for none:
//!   pruning is worth a try when that transaction is before the horizon.
//!
//! An all-zero page is an empty heap page: a file grows before its new page is
//! set up, so a power cut can leave one.

use pg_buffer_port::{MiniTx, PageRead, Slot};
use pg_page::slots::{self, ItemPointer};
use pg_page::tuple_header::{self, TupleHeader, at as field};
use pg_page::{PAGE_SIZE, Page, get_u64, header};

/// The kind of heap pages.
pub const KIND: u8 = 16;
/// Bytes of special space.
pub const SPECIAL: u16 = 8;
/// Header flag: some pointer may be unused.
pub const FREE_SLOTS: u16 = 1;
/// Header flag: everyone sees every version on the page, and no index leads to a
/// version that is gone.
pub const ALL_VISIBLE: u16 = 2;

const PRUNE_AT: usize = PAGE_SIZE - SPECIAL as usize;

/// The bytes that an item takes, for content of `len` bytes.
#[inline]
pub fn item_size(len: usize) -> usize {
    (tuple_header::SIZE + len).next_multiple_of(2)
}

/// Free bytes of a page, all of them for an all-zero page.
pub fn free(page: &Page) -> usize {
    if header::kind(page) == 0 {
        return PAGE_SIZE - pg_page::HEADER_SIZE - usize::from(SPECIAL);
    }
    header::free_space(page)
}

/// The prune hint.
pub fn prune_hint(page: &Page) -> u64 {
    get_u64(page, PRUNE_AT)
}

/// Sets the prune hint, if `xid` is less than what stands there.
pub fn lower_prune_hint(mtx: &mut MiniTx, page: Slot, xid: u64) {
    let hint = prune_hint(mtx.page(page));
    if hint == 0 || xid < hint {
        mtx.write(page, PRUNE_AT, &xid.to_le_bytes());
    }
}

/// Replaces the prune hint.
pub fn set_prune_hint(mtx: &mut MiniTx, page: Slot, xid: u64) {
    if prune_hint(mtx.page(page)) != xid {
        mtx.write(page, PRUNE_AT, &xid.to_le_bytes());
    }
}

/// Sets up an all-zero page.
pub fn ensure_init(mtx: &mut MiniTx, page: Slot) {
    if header::kind(mtx.page(page)) == 0 {
        mtx.init(page, KIND, SPECIAL);
    }
}

/// The slot that a new item would get, if there is room for it: `len` is its
/// content's length.
pub fn slot_for(page: &Page, len: usize) -> Option<u16> {
    let room = free(page).checked_sub(item_size(len))?;
    if header::flags(page) & FREE_SLOTS != 0 {
        let unused = slots::first_unused(page);
        if unused.is_some() {
            return unused;
        }
    }
    (slots::POINTER_SIZE <= room).then_some(slots::count(page) + 1)
}

/// Puts an item into `number`, which [`slot_for`] gave.
pub fn add_item(mtx: &mut MiniTx, page: Slot, number: u16, header: &TupleHeader, row: &[u8]) {
    let bytes = mtx.page(page);
    let lower = usize::from(header::lower(bytes));
    let upper = usize::from(header::upper(bytes)) - item_size(row.len());
    let pointer_at = slots::pointer_offset(number);
    if pointer_at >= lower {
        // A new slot is taken when no other is free: none needs to be looked for
        // until the next pruning.
        set_free_slots(mtx, page, false);
    }
    let lower = lower.max(pointer_at + slots::POINTER_SIZE);
    let pointer = ItemPointer::normal(upper as u16, (tuple_header::SIZE + row.len()) as u16);
    write_item(mtx, page, upper, header, row);
    mtx.write(page, pointer_at, &pointer.encode());
    set_bounds(mtx, page, lower, upper);
}

/// Writes an item's bytes: a small one in one piece.
fn write_item(mtx: &mut MiniTx, page: Slot, at: usize, header: &TupleHeader, row: &[u8]) {
    let mut item = [0; 160];
    match item.get_mut(..tuple_header::SIZE + row.len()) {
        Some(item) => {
            let (head, body) = item.split_at_mut(tuple_header::SIZE);
            head.copy_from_slice(&header.encode());
            body.copy_from_slice(row);
            mtx.write(page, at, item);
        }
        None => {
            mtx.write(page, at, &header.encode());
            mtx.write(page, at + tuple_header::SIZE, row);
        }
    }
}

/// Writes the ends of pointers and items into the page header.
pub fn set_bounds(mtx: &mut MiniTx, page: Slot, lower: usize, upper: usize) {
    let ([l0, l1], [u0, u1]) = ((lower as u16).to_le_bytes(), (upper as u16).to_le_bytes());
    mtx.write(page, header::at::LOWER, &[l0, l1, u0, u1]);
}

/// Replaces a pointer.
pub fn set_pointer(mtx: &mut MiniTx, page: Slot, number: u16, pointer: ItemPointer) {
    mtx.write(page, slots::pointer_offset(number), &pointer.encode());
}

/// Notes whether some pointer may be unused.
pub fn set_free_slots(mtx: &mut MiniTx, page: Slot, some: bool) {
    set_flag(mtx, page, FREE_SLOTS, some);
}

/// Sets or clears a flag of the header.
pub fn set_flag(mtx: &mut MiniTx, page: Slot, flag: u16, on: bool) {
    let flags = header::flags(mtx.page(page));
    let wanted = if on { flags | flag } else { flags & !flag };
    if flags != wanted {
        mtx.write(page, header::at::FLAGS, &wanted.to_le_bytes());
    }
}

/// A version on a page: where it lies and its header.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// The item's offset on the page.
    pub offset: usize,
    /// Its header.
    pub header: TupleHeader,
}

/// The version in slot `number`, if there is one.
#[inline]
pub fn version(page: &Page, number: u16) -> Option<Version> {
    let pointer = slots::pointer(page, number)?;
    let header = TupleHeader::read(slots::item(page, number)?)?;
    Some(Version {
        offset: usize::from(pointer.offset),
        header,
    })
}

/// Writes everything of a version's header that can change after it was made.
pub fn write_end(mtx: &mut MiniTx, page: Slot, version: &Version) {
    let bytes = version.header.encode();
    let at = version.offset;
    mtx.write(page, at + field::XMAX, &bytes[field::XMAX..]);
}

/// Sets hints that reading has brought, if there are any.
#[inline]
pub fn give_hints(page: &mut PageRead, offset: usize, hints: u16) {
    if hints != 0 {
        pg_buffer_port::set_hint(page, offset + field::INFOMASK, hints);
    }
}
