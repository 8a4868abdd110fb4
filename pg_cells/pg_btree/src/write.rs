//! Writing pages of the tree: whole, an item, a link, a mark. The layout is drawn
//! in `node.rs`.

use crate::node::{
    Bound, CAPACITY, CHILD, FREE, Item, KILLED, KIND, LIST, Node, Position, ROOT, SPECIAL, STAMP,
    STAMPED, TID,
};
use alloc::vec::Vec;
use pg_buffer_port::{MiniTx, PageRead, Slot};
use pg_page::slots::{self, ItemPointer, POINTER_SIZE};
use pg_page::{HEADER_SIZE, header};

/// Everything of a page but its items.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// 0 for leaves.
    pub level: u16,
    /// The next page of the level.
    pub right: Option<u32>,
    /// The bound, if there is one.
    pub high: Option<Bound>,
    /// Its stamp, if it has been free before.
    pub stamp: Option<u64>,
    /// The first free page, for the root alone.
    pub list: Option<u32>,
}

impl Frame {
    /// A page's own.
    pub fn of(node: &Node<'_>) -> Self {
        Frame {
            level: node.level(),
            right: node.right(),
            high: node.high().map(Position::to_owned),
            stamp: node.stamp(),
            list: node.next_free(),
        }
    }

    fn flags(&self) -> u16 {
        self.stamp.map_or(0, |_| STAMPED) | self.list.map_or(0, |_| LIST)
    }

    fn special(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let link = self.list.or(self.right).unwrap_or(ROOT);
        out.extend_from_slice(&link.to_le_bytes());
        out.extend_from_slice(&self.level.to_le_bytes());
        let len = self.high.as_ref().map_or(0, |h| TID + h.key.len());
        out.extend_from_slice(&(len as u16).to_le_bytes());
        if let Some(stamp) = self.stamp {
            out.extend_from_slice(&stamp.to_le_bytes());
        }
        if let Some(high) = &self.high {
            out.extend_from_slice(&high.tid.to_le_bytes()[..TID]);
            out.extend_from_slice(&high.key);
        }
        out
    }
}

/// Bytes of the special space with a bound of `key_len` bytes of key, and a stamp.
pub fn special_size(key_len: Option<usize>) -> usize {
    (SPECIAL + STAMP + key_len.map_or(0, |len| TID + len)).next_multiple_of(8)
}

/// Whether the items fit a page with this frame.
pub fn fits(frame: &Frame, items: &[Item]) -> bool {
    let size: usize = items.iter().map(|i| i.size() + POINTER_SIZE).sum();
    size + frame.special().len().next_multiple_of(8) <= CAPACITY
}

/// Items in the form in which they lie on a page, in order.
#[derive(Default)]
pub struct Encoded {
    bytes: Vec<u8>,
    /// Their lengths.
    lens: Vec<u16>,
}

impl Encoded {
    /// Bytes that an item takes on a page, with its pointer.
    pub fn size_of(at: Position<'_>, child: Option<u32>) -> usize {
        TID + child.map_or(0, |_| CHILD) + at.key.len() + POINTER_SIZE
    }

    /// Adds an item behind the others.
    pub fn push(&mut self, at: Position<'_>, child: Option<u32>) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&at.tid.to_le_bytes()[..TID]);
        if let Some(child) = child {
            self.bytes.extend_from_slice(&child.to_le_bytes());
        }
        self.bytes.extend_from_slice(at.key);
        self.lens.push((self.bytes.len() - before) as u16);
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.lens.len()
    }

    /// Bytes that they take on a page, with their pointers.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.lens.len() * POINTER_SIZE
    }

    /// Forgets all items.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.lens.clear();
    }
}

/// Writes a page anew. The items must fit.
pub fn page(mtx: &mut MiniTx, page: Slot, frame: &Frame, items: &[Item]) {
    let mut encoded = Encoded::default();
    for item in items {
        encoded.push(item.at.position(), item.child);
    }
    page_of(mtx, page, frame, &encoded);
}

/// The same, of items that are encoded.
pub fn page_of(mtx: &mut MiniTx, page: Slot, frame: &Frame, items: &Encoded) {
    let special = frame.special();
    mtx.init(page, KIND, special.len() as u16);
    set_flags(mtx, page, frame.flags());
    let start = usize::from(header::special(mtx.page(page)));
    mtx.write(page, start, &special);
    let upper = start - items.bytes.len();
    let mut pointers = Vec::with_capacity(items.len() * POINTER_SIZE);
    let mut offset = upper as u16;
    for len in &items.lens {
        pointers.extend_from_slice(&ItemPointer::normal(offset, *len).encode());
        offset += len;
    }
    if !pointers.is_empty() {
        mtx.write(page, upper, &items.bytes);
        mtx.write(page, HEADER_SIZE, &pointers);
        set_bounds(mtx, page, HEADER_SIZE + pointers.len(), upper);
    }
}

fn set_flags(mtx: &mut MiniTx, page: Slot, flags: u16) {
    if header::flags(mtx.page(page)) != flags {
        mtx.write(page, header::at::FLAGS, &flags.to_le_bytes());
    }
}

fn set_link(mtx: &mut MiniTx, page: Slot, to: Option<u32>) {
    let at = usize::from(header::special(mtx.page(page)));
    mtx.write(page, at, &to.unwrap_or(ROOT).to_le_bytes());
}

/// Makes `right` the next page of a page's level.
pub fn set_right(mtx: &mut MiniTx, page: Slot, right: u32) {
    set_link(mtx, page, Some(right));
}

/// Makes a page free, with the next free one behind it.
pub fn set_free(mtx: &mut MiniTx, page: Slot, next: Option<u32>) {
    mtx.init(page, KIND, SPECIAL as u16);
    set_flags(mtx, page, FREE);
    set_link(mtx, page, next);
}

/// Makes `first` the first of the free pages that the root links to.
pub fn set_list(mtx: &mut MiniTx, root: Slot, first: Option<u32>) {
    let flags = header::flags(mtx.page(root)) & !LIST;
    set_flags(mtx, root, flags | first.map_or(0, |_| LIST));
    set_link(mtx, root, first);
}

/// Kills an entry of a page that is latched for reading.
pub fn kill(page: &mut PageRead, index: u16) {
    let upper_half = slots::pointer_offset(index + 1) + 2;
    pg_buffer_port::set_hint(page, upper_half, (KILLED >> 16) as u16);
}

fn set_bounds(mtx: &mut MiniTx, page: Slot, lower: usize, upper: usize) {
    let ([l0, l1], [u0, u1]) = ((lower as u16).to_le_bytes(), (upper as u16).to_le_bytes());
    mtx.write(page, header::at::LOWER, &[l0, l1, u0, u1]);
}

/// Adds an item as number `index` (from 0) of a page that has room for it.
pub fn insert(mtx: &mut MiniTx, page: Slot, index: u16, item: &Item) {
    let bytes = mtx.page(page);
    let (count, lower) = (slots::count(bytes), usize::from(header::lower(bytes)));
    let upper = usize::from(header::upper(bytes)) - item.size();
    let mut encoded = Vec::with_capacity(item.size());
    item.encode(&mut encoded);
    mtx.write(page, upper, &encoded);
    let at = slots::pointer_offset(index + 1);
    let behind = usize::from(count.saturating_sub(index)) * POINTER_SIZE;
    if behind > 0 {
        mtx.shift(page, at, at + POINTER_SIZE, behind);
    }
    let pointer = ItemPointer::normal(upper as u16, item.size() as u16);
    mtx.write(page, at, &pointer.encode());
    set_bounds(mtx, page, lower + POINTER_SIZE, upper);
}
