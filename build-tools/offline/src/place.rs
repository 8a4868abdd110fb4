//! Where a page lies on the disk of a system that was shut down in order, worked
//! out from the superblock and the space map alone.

use pg_buffer_port::space::Space;
use pg_buffer_port::{FileId, PageId};
use pg_page::PAGE_SIZE;
use pg_page::superblock::{BLOCK, COPIES, Found, Superblock};

use crate::device::Below;

/// The superblock of a disk; none when it is not one of ours.
#[must_use]
pub fn superblock(disk: &dyn Below) -> Option<Superblock> {
    let mut copies = [0, 1].map(|_| vec![0; BLOCK as usize]);
    for (place, copy) in COPIES.iter().zip(&mut copies) {
        disk.read(*place, copy).ok()?;
    }
    match Superblock::find([&copies[0], &copies[1]], disk.len()) {
        Ok(Found::Valid(superblock)) => Some(superblock),
        _ => None,
    }
}

/// Where a page lies, in bytes; none when it does not exist.
#[must_use]
pub fn locate(disk: &dyn Below, page: PageId) -> Option<u64> {
    let superblock = superblock(disk)?;
    let mut space = Space::new(&superblock);
    for block in 0..superblock.map_pages {
        let offset = space.locate(PageId::new(FileId::SPACE_MAP, block))?;
        let mut bytes = [0; PAGE_SIZE];
        disk.read(offset, &mut bytes).ok()?;
        space.refresh(block, &bytes);
    }
    space.locate(page)
}
