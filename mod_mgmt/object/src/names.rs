//! From an offset in a cell to the name of the function there. Only reports ask,
//! so the names stay packed, and a block of them is unpacked for each question.

use crate::format::{Cursor, LARGEST_RATIO, NameBlock, unpack};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use zerocopy::FromBytes;

/// The functions of a cell, packed.
#[derive(Clone, Debug, Default)]
pub struct FunctionNames {
    blocks: usize,
    bytes: Box<[u8]>,
}

impl FunctionNames {
    pub(crate) fn new(blocks: usize, bytes: &[u8]) -> Self {
        FunctionNames {
            blocks,
            bytes: bytes.into(),
        }
    }

    /// The function that starts at `offset` or last before it: its mangled name
    /// and where it starts.
    #[must_use]
    pub fn find(&self, offset: usize) -> Option<(String, usize)> {
        let offset = u32::try_from(offset).ok()?;
        let (blocks, _) =
            <[NameBlock]>::ref_from_prefix_with_elems(&self.bytes, self.blocks).ok()?;
        let after = blocks.partition_point(|block| block.first.get() <= offset);
        let block = blocks.get(after.checked_sub(1)?)?;
        let (at, len) = (block.at.get() as usize, block.len.get() as usize);
        let packed = self
            .bytes
            .get(at..at.checked_add(block.packed.get() as usize)?)?;
        if len > LARGEST_RATIO * packed.len() {
            return None;
        }
        let mut text = alloc::vec![0; len];
        if !unpack(packed, &mut text) {
            return None;
        }
        let mut cursor = Cursor(&text);
        let (mut start, mut found) = (0_usize, None);
        while let Some(distance) = cursor.length() {
            start = start.checked_add(distance)?;
            let len = cursor.length()?;
            let name = cursor.string(len)?;
            if start > offset as usize {
                break;
            }
            found = Some((name, start));
        }
        found.map(|(name, start)| (name.to_string(), start))
    }

    /// Bytes of memory.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}
