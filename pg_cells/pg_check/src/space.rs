//! The space map against itself: no extent is two files', no file has a hole, and
//! what is free is free.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use pg_buffer_port::space::entry_place;
use pg_buffer_port::{FileId, PageId, read_page};
use pg_check_port::{Finding, Place, Report, What};
use pg_page::superblock::{ENTRIES_PER_MAP_PAGE, MAP_ENTRY, Superblock};
use pg_page::{HEADER_SIZE, get_u32};

struct Entry {
    file: u32,
    index: u32,
    used: u32,
}

/// Looks at the map.
pub fn look(report: &mut Report) {
    let Some(disk) = pg_wal_port::superblock() else {
        let what = "no superblock";
        return report.add(Finding::damage(Place::System, What::NotRunning, what));
    };
    let mut files: BTreeMap<u32, Vec<(u32, u32, u32)>> = BTreeMap::new();
    for block in 0..disk.map_pages {
        for (extent, entry) in entries(&disk, block, report) {
            if entry.file != 0 {
                let extents = files.entry(entry.file).or_default();
                extents.push((entry.index, extent, entry.used));
            }
        }
    }
    for (file, extents) in &mut files {
        extents.sort_unstable();
        file_is_whole(&disk, *file, extents, report);
    }
}

/// The entries of a page of the map; what cannot be is reported.
fn entries(disk: &Superblock, block: u32, report: &mut Report) -> Vec<(u32, Entry)> {
    let id = PageId::new(FileId::SPACE_MAP, block);
    let page = match read_page(id) {
        Ok(page) => page,
        Err(error) => {
            report.add(Finding::damage(Place::Page(id), What::Unreadable, error));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (at, bytes) in page[HEADER_SIZE..].chunks_exact(MAP_ENTRY).enumerate() {
        let extent = block * ENTRIES_PER_MAP_PAGE + at as u32;
        let entry = Entry {
            file: get_u32(bytes, 0),
            index: get_u32(bytes, 4),
            used: get_u32(bytes, 8),
        };
        let is_there = extent < disk.extents;
        let is_free = entry.file == 0 && entry.index == 0 && entry.used == 0;
        if get_u32(bytes, 12) != 0
            || !(is_there || is_free)
            || (entry.file == 0 && !is_free)
            || entry.used > disk.extent_pages
        {
            let what = format!(
                "extent {extent} is file {}, part {}, {} pages",
                entry.file, entry.index, entry.used
            );
            let place = Place::Item(id, at as u16 + 1);
            report.add(Finding::damage(place, What::SpaceMap, what));
        } else if is_there {
            found.push((extent, entry));
        }
    }
    found
}

/// Each part of the file is there once, and all but the last are full.
fn file_is_whole(disk: &Superblock, file: u32, extents: &[(u32, u32, u32)], report: &mut Report) {
    let mut next = 0;
    for (at, (index, extent, used)) in extents.iter().enumerate() {
        let is_last = at + 1 == extents.len();
        let wrong = if *index < next {
            Some(format!("two extents are part {index} of file {file}"))
        } else if *index > next {
            Some(format!("no extent is part {next} of file {file}"))
        } else if !is_last && *used < disk.extent_pages {
            Some(format!("part {index} of file {file} has {used} pages"))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let (page, offset) = entry_place(*extent);
            let item = ((offset - HEADER_SIZE) / MAP_ENTRY) as u16 + 1;
            report.add(Finding::damage(
                Place::Item(page, item),
                What::SpaceMap,
                wrong,
            ));
        }
        next = index + 1;
    }
}
