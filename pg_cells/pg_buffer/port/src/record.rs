//! The body of a log record: which pages a mini-transaction changed, and how.
//!
//! ```text
//!  block table, 10 bytes for each changed page:  page id u64 | how u8 | tag u8
//!    how 0: operations follow         the page must be there
//!        1: zero, then operations     nothing is read
//!        2: image                     nothing is read, no operations
//!  images, in the table's order:  hole start u16 | hole end u16 | bytes outside it
//!  operations (pg_page::ops), each with the tag of its page
//! ```
//! The hole is the free space between `lower` and `upper` when it is all zero.

use crate::PageId;
use alloc::vec::Vec;
use pg_page::ops::{Op, OpError};
use pg_page::{HEADER_SIZE, PAGE_SIZE, Page, get_u16, get_u64, header};

/// Bytes of an entry of the block table.
const BLOCK_ENTRY: usize = 10;

/// How a page is changed by a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum How {
    /// By operations on what is there.
    Change = 0,
    /// By operations on zeros.
    Zero = 1,
    /// By its image.
    Image = 2,
}

/// An entry of the block table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Which page.
    pub page: PageId,
    /// How it is changed.
    pub how: How,
    /// Its number in the operations.
    pub tag: u8,
}

impl Block {
    /// Appends the entry.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut entry = [0; BLOCK_ENTRY];
        entry[..8].copy_from_slice(&self.page.pack().to_le_bytes());
        entry[8] = self.how as u8;
        entry[9] = self.tag;
        out.extend_from_slice(&entry);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let how = match bytes[8] {
            0 => How::Change,
            1 => How::Zero,
            2 => How::Image,
            _ => return None,
        };
        Some(Block {
            page: PageId::unpack(get_u64(bytes, 0)),
            how,
            tag: bytes[9],
        })
    }
}

/// Appends a page's image.
pub fn encode_image(page: &Page, out: &mut Vec<u8>) {
    let (lower, upper) = (header::lower(page), header::upper(page));
    let hole = usize::from(lower)..usize::from(upper);
    let empty = header::is_sane(page)
        && hole.start >= HEADER_SIZE
        && page[hole.clone()].iter().all(|b| *b == 0);
    let hole = if empty { hole } else { 0..0 };
    out.extend_from_slice(&(hole.start as u16).to_le_bytes());
    out.extend_from_slice(&(hole.end as u16).to_le_bytes());
    out.extend_from_slice(&page[..hole.start]);
    out.extend_from_slice(&page[hole.end..]);
}

/// An image: the hole and the bytes outside it.
struct Image<'a> {
    hole: core::ops::Range<usize>,
    bytes: &'a [u8],
}

/// Takes an image off the front of `bytes`; the rest.
fn split_image(bytes: &[u8]) -> Option<(Image<'_>, &[u8])> {
    let (head, rest) = bytes.split_at_checked(4)?;
    let (start, end) = (usize::from(get_u16(head, 0)), usize::from(get_u16(head, 2)));
    if start > end || end > PAGE_SIZE {
        return None;
    }
    let (bytes, rest) = rest.split_at_checked(PAGE_SIZE - (end - start))?;
    let hole = start..end;
    Some((Image { hole, bytes }, rest))
}

/// A body being read.
#[derive(Clone, Debug)]
pub struct Body<'a> {
    blocks: Vec<Block>,
    images: &'a [u8],
    ops: &'a [u8],
}

impl<'a> Body<'a> {
    /// Reads the table of `count` blocks and finds images and operations. None
    /// when the bytes make no sense.
    #[must_use]
    pub fn parse(bytes: &'a [u8], count: u16) -> Option<Self> {
        let table = usize::from(count) * BLOCK_ENTRY;
        let (table, images) = bytes.split_at_checked(table)?;
        let entries = table.chunks_exact(BLOCK_ENTRY);
        let blocks: Vec<Block> = entries.map(Block::decode).collect::<Option<_>>()?;
        let mut ops = images;
        for block in &blocks {
            if block.how == How::Image {
                ops = split_image(ops)?.1;
            }
        }
        Some(Body {
            blocks,
            images,
            ops,
        })
    }

    /// The pages it changes.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Brings `page` (the page of `block`) from the state before the record to
    /// that after it, but for the log position.
    ///
    /// # Errors
    /// When an operation makes no sense.
    pub fn apply(&self, block: &Block, page: &mut Page) -> Result<(), OpError> {
        match block.how {
            How::Image => return self.apply_image(block, page),
            How::Zero => page.fill(0),
            How::Change => {}
        }
        let mut rest = self.ops;
        // Padding follows the last operation; no kind of operation is 0.
        while rest.first().is_some_and(|kind| *kind != 0) {
            let (tag, op, after) = Op::decode(rest)?;
            if tag == block.tag {
                op.apply(page)?;
            }
            rest = after;
        }
        Ok(())
    }

    fn apply_image(&self, block: &Block, page: &mut Page) -> Result<(), OpError> {
        let mut rest = self.images;
        for other in self.blocks.iter().filter(|b| b.how == How::Image) {
            let (image, after) = split_image(rest).ok_or(OpError::Truncated)?;
            if other == block {
                let (before, behind) = image.bytes.split_at(image.hole.start);
                page[..image.hole.start].copy_from_slice(before);
                page[image.hole.clone()].fill(0);
                page[image.hole.end..].copy_from_slice(behind);
                return Ok(());
            }
            rest = after;
        }
        Err(OpError::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_leave_the_hole_out_and_come_back_whole() {
        let mut page = [0; PAGE_SIZE];
        header::init(&mut page, 1, 16);
        page[header::at::UPPER..][..2].copy_from_slice(&8000u16.to_le_bytes());
        page[8000..8010].fill(7);
        let full = {
            let mut full = page;
            full[4000] = 1;
            full
        };
        for (page, most) in [(page, 300), (full, 9000)] {
            let block = Block {
                page: PageId::unpack(77),
                how: How::Image,
                tag: 0,
            };
            let mut bytes = Vec::new();
            block.encode(&mut bytes);
            encode_image(&page, &mut bytes);
            assert!(bytes.len() <= most, "{}", bytes.len());
            let body = Body::parse(&bytes, 1).unwrap();
            let mut back = [9; PAGE_SIZE];
            body.apply(&block, &mut back).unwrap();
            assert!(back == page);
            assert!(Body::parse(&bytes[..bytes.len() - 1], 1).is_none());
        }
    }

    #[test]
    fn operations_reach_their_own_page_only() {
        let block = |id, how, tag| Block {
            page: PageId::unpack(id),
            how,
            tag,
        };
        let blocks = [block(1, How::Change, 3), block(2, How::Zero, 4)];
        let mut bytes = Vec::new();
        blocks.iter().for_each(|b| b.encode(&mut bytes));
        for (tag, byte) in [(3, b"x"), (4, b"y")] {
            let offset = 100;
            Op::Write {
                offset,
                bytes: byte,
            }
            .encode(tag, &mut bytes);
        }
        bytes.extend_from_slice(&[0; 5]);
        let body = Body::parse(&bytes, 2).unwrap();
        let mut pages = [[5; PAGE_SIZE]; 2];
        for (block, page) in body.blocks().iter().zip(&mut pages) {
            body.apply(block, page).unwrap();
        }
        assert_eq!((pages[0][100], pages[0][101]), (b'x', 5));
        assert_eq!((pages[1][100], pages[1][101]), (b'y', 0));
    }
}
