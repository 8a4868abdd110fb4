//! What must hold on every heap page. [`page`] looks at bytes alone, so it also
//! serves tools that read a disk without the system.

use crate::all_visible;
use crate::page::{KIND, SPECIAL, version};
use alloc::vec::Vec;
use pg_buffer_port::{BufferError, PageId, read_page};
use pg_heap_port::{CheckReport, Fault, FileId, HeapError};
use pg_page::maps::visibility;
use pg_page::slots::{self, State};
use pg_page::tuple_header::{self, bits};
use pg_page::{PAGE_SIZE, Page, header};

/// Checks a whole file, also behind a page that cannot be read.
///
/// # Errors
/// When there is no such file.
pub fn file(file: FileId) -> Result<CheckReport, HeapError> {
    let mut report = CheckReport::default();
    let blocks = pg_buffer_port::blocks(file)?;
    for block in 0..blocks {
        match read_page(PageId::new(file, block)) {
            Ok(bytes) => {
                page(block, &bytes, &mut report);
                // With the page latched: both change together.
                if !all_visible::is_marked(&bytes) && all_visible::is_set(file, block) {
                    report.add(block, 0, Fault::AllVisible);
                }
            }
            // Cut off since its length was read.
            Err(BufferError::NoSuchPage { .. }) => return Ok(report),
            Err(_) => report.add(block, 0, Fault::Unreadable),
        }
    }
    // What the map says of pages that are still to come.
    let map_pages = crate::map_file::blocks(all_visible::map_of(file))?;
    let described = map_pages.saturating_mul(visibility::PER_PAGE);
    for block in blocks..described {
        if all_visible::is_set(file, block) && pg_buffer_port::blocks(file)? <= block {
            report.add(block, 0, Fault::AllVisible);
        }
    }
    Ok(report)
}

/// Checks one page.
pub fn page(block: u32, page: &Page, report: &mut CheckReport) {
    report.pages += 1;
    if header::kind(page) == 0 {
        // It may have been logged and stamped.
        let stamp = header::at::LSN..header::at::LSN + 8;
        let blank = |(at, byte): (usize, &u8)| *byte == 0 || at < 4 || stamp.contains(&at);
        if !page.iter().enumerate().all(blank) {
            report.add(block, 0, Fault::Kind);
        }
        return;
    }
    if header::kind(page) != KIND {
        return report.add(block, 0, Fault::Kind);
    }
    let special = PAGE_SIZE - usize::from(SPECIAL);
    if !header::is_sane(page) || usize::from(header::special(page)) != special {
        return report.add(block, 0, Fault::Header);
    }
    items(block, page, report);
    for (number, pointer) in slots::pointers(page) {
        match pointer.state {
            State::Redirect => {
                let to = version(page, pointer.offset);
                if !to.is_some_and(|v| v.header.has(bits::HEAP_ONLY)) {
                    report.add(block, number, Fault::Redirect);
                }
            }
            State::Normal => chain(block, number, page, report),
            State::Dead if all_visible::is_marked(page) => {
                report.add(block, number, Fault::AllVisible);
            }
            State::Unused | State::Dead => {}
        }
    }
}

/// Items lie in the item space, none over another.
fn items(block: u32, page: &Page, report: &mut CheckReport) {
    let mut taken: Vec<(usize, usize, u16)> = Vec::new();
    for (number, pointer) in slots::pointers(page) {
        if pointer.state != State::Normal {
            continue;
        }
        let start = usize::from(pointer.offset);
        let end = start + usize::from(pointer.len);
        let inside =
            start >= usize::from(header::upper(page)) && end <= usize::from(header::special(page));
        if !inside || start % 2 != 0 || usize::from(pointer.len) < tuple_header::SIZE {
            report.add(block, number, Fault::Item);
        }
        report.items += 1;
        taken.push((start, end, number));
    }
    taken.sort_unstable();
    for pair in taken.windows(2) {
        if pair[0].1 > pair[1].0 {
            report.add(block, pair[1].2, Fault::Item);
        }
    }
}

/// A version's marks agree with one another and with its successor.
fn chain(block: u32, number: u16, page: &Page, report: &mut CheckReport) {
    let Some(found) = version(page, number) else {
        return;
    };
    let header = &found.header;
    let both = |a, b| header.has(a) && header.has(b);
    if both(bits::XMIN_COMMITTED, bits::XMIN_ABORTED)
        || both(bits::XMAX_COMMITTED, bits::XMAX_INVALID)
        || both(bits::XMAX_LOCK_ONLY, bits::UPDATED)
        || (header.has(bits::HOT_UPDATED) && !header.has(bits::UPDATED))
        || header.xmin == 0
    {
        report.add(block, number, Fault::Marks);
    }
    let is_ended = header.has(bits::XMAX_COMMITTED) && !header.has(bits::XMAX_LOCK_ONLY);
    if all_visible::is_marked(page) && (is_ended || header.has(bits::XMIN_ABORTED)) {
        report.add(block, number, Fault::AllVisible);
    }
    if header.has(bits::HOT_UPDATED) && header.next_block != block {
        report.add(block, number, Fault::Chain);
    }
    if header.has(bits::HOT_UPDATED | bits::XMAX_COMMITTED) {
        // Committed, so the successor was not pruned before this one.
        let next = version(page, header.next_slot);
        let good = |h: &tuple_header::TupleHeader| h.has(bits::HEAP_ONLY) && h.xmin == header.xmax;
        if !next.is_some_and(|v| good(&v.header)) {
            report.add(block, number, Fault::Chain);
        }
    }
}
