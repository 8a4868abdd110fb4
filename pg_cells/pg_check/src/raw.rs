//! Pages of a database that could not be opened, as they lie on the disk: the
//! space map as far as it can be read says where they are. Pages that the log
//! would have restored are left out; they may be torn.

use crate::media::{self, Media};
use alloc::vec;
use nvme_port::DiskError;
use pg_buffer_port::space::Space;
use pg_buffer_port::{FileId, PageId};
use pg_check_port::{Finding, Place, Report, What};
use pg_page::{PAGE_SIZE, Page, header};

/// Looks at all pages in use.
pub fn look(media: &Media, report: &mut Report) {
    let Some(disk) = &media.superblock else {
        return;
    };
    let mut space = Space::new(disk);
    let mut page = vec![0; PAGE_SIZE];
    for block in 0..disk.map_pages {
        let id = PageId::new(FileId::SPACE_MAP, block);
        if let Some(bytes) = read(id, &space, media, &mut page, report) {
            space.refresh(block, bytes);
        }
    }
    for file in space.files() {
        for block in 0..space.blocks(file).unwrap_or(0) {
            let id = PageId::new(file, block);
            let _ = read(id, &space, media, &mut page, report);
        }
    }
}

/// Reads a page; also one that is damaged, which is reported.
fn read<'a>(
    id: PageId,
    space: &Space,
    media: &Media,
    page: &'a mut [u8],
    report: &mut Report,
) -> Option<&'a Page> {
    let offset = space.locate(id)?;
    report.looked.pages += 1;
    let read: Result<(), DiskError> = media::read(offset, page);
    if let Err(error) = read {
        report.add(Finding::damage(Place::Page(id), What::Unreadable, error));
        return None;
    }
    let page: &Page = page.first_chunk()?;
    let never_written = id.file == FileId::SPACE_MAP && page.iter().all(|b| *b == 0);
    let is_restored = media.restored.contains(&id.pack());
    if !never_written && !is_restored && !header::is_intact(page, id.pack()) {
        report.add(Finding::damage(
            Place::Page(id),
            What::Checksum,
            "on the disk",
        ));
    }
    Some(page)
}
