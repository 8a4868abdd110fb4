//! The free space map on disk: what a vacuum found, and corrections of it.
//!
//! Only a vacuum writes it as a whole, with one log record for each of its pages
//! that changes. An insert that finds less room than the map has promised corrects
//! that byte. Nothing depends on it: who is sent to a page looks for room there.
//!
//! Its pages are latched alone, but for reading, which may happen with heap pages
//! latched.

use crate::map_file;
use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_buffer_port::{BufferError, FileId, Fork, MiniTx, PageId, read_page};
use pg_heap_port::HeapError;
use pg_page::maps::{FREE_SPACE_KIND, free_space as layout};
use pg_page::{HEADER_SIZE, PAGE_SIZE, Page, header};

/// Tables shorter than this have no map: the memory of roomy pages does.
pub const LEAST_PAGES: u32 = 8;

/// The map of a table.
pub fn map_of(file: FileId) -> FileId {
    FileId::new(file.relation(), Fork::FreeSpace)
}

/// The first page of the table, from `from` on, that the map promises `len` bytes
/// of.
pub fn find(file: FileId, from: u32, len: usize) -> Result<Option<u32>, HeapError> {
    let least = layout::wanted(len + pg_page::slots::POINTER_SIZE);
    let mut from = from;
    loop {
        let map_page = layout::place(from).0;
        match read_page(PageId::new(map_of(file), map_page)) {
            Ok(page) if header::kind(&page) == FREE_SPACE_KIND => {
                let found = layout::find(&page, from, least);
                if found.is_some() {
                    return Ok(found);
                }
            }
            // Not written yet, or damaged: it promises nothing.
            Ok(_) | Err(BufferError::Corrupt { .. }) => {}
            Err(BufferError::NoSuchPage { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        match (map_page + 1).checked_mul(layout::PER_PAGE) {
            Some(next) => from = next,
            None => return Ok(None),
        }
    }
}

/// Writes what some pages really have.
pub fn correct(file: FileId, pages: Vec<(u32, usize)>) -> Result<(), HeapError> {
    for (block, free) in pages {
        let (map_page, at) = layout::place(block);
        let id = PageId::new(map_of(file), map_page);
        let is = layout::category(free);
        let says_more = |page: &Page| page[at] > is && header::kind(page) == FREE_SPACE_KIND;
        if !read_page(id).is_ok_and(|page| says_more(&page)) {
            continue;
        }
        let mut mtx = MiniTx::begin(0);
        if let Some(map) = mtx.try_latch(id)?
            && says_more(mtx.page(map))
        {
            mtx.write(map, at, &[is]);
            mtx.commit()?;
        }
    }
    Ok(())
}

/// The map being written by a vacuum, in the table's order.
pub struct Writer {
    file: FileId,
    /// The map's page that is being filled in.
    map_page: u32,
    /// What it says; none as long as it says what it said before.
    bytes: Option<Vec<u8>>,
    /// What it said before.
    old: Option<Box<Page>>,
}

impl Writer {
    /// For a table of `pages` pages. None when it is too short for a map.
    pub fn new(file: FileId, pages: u32) -> Result<Option<Writer>, HeapError> {
        let map = map_of(file);
        if pages < LEAST_PAGES && map_file::blocks(map)? == 0 {
            return Ok(None);
        }
        map_file::mend(map)?;
        if let Some(last) = pages.checked_sub(1) {
            map_file::lengthen(map, layout::place(last).0 + 1)?;
        }
        let mut writer = Writer {
            file,
            map_page: 0,
            bytes: None,
            old: None,
        };
        writer.open(0)?;
        Ok(Some(writer))
    }

    fn open(&mut self, map_page: u32) -> Result<(), HeapError> {
        self.map_page = map_page;
        self.bytes = None;
        self.old = match read_page(PageId::new(map_of(self.file), map_page)) {
            Ok(page) => Some(Box::new(*page)),
            Err(BufferError::NoSuchPage { .. } | BufferError::Corrupt { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(())
    }

    /// Goes on to the part of the map that describes `block`.
    fn turn_to(&mut self, block: u32) -> Result<(), HeapError> {
        let map_page = layout::place(block).0;
        if map_page != self.map_page {
            self.write()?;
            self.open(map_page)?;
        }
        Ok(())
    }

    /// Notes a page with `free` bytes free. Latch nothing.
    pub fn note(&mut self, block: u32, free: usize) -> Result<(), HeapError> {
        self.turn_to(block)?;
        let at = layout::place(block).1;
        let category = layout::category(free);
        let said = self.old.as_ref().map_or(0, |page| page[at]);
        if self.bytes.is_some() || said != category {
            let old = &self.old;
            let bytes = self.bytes.get_or_insert_with(|| match old {
                Some(page) => page[HEADER_SIZE..].to_vec(),
                None => alloc::vec![0; PAGE_SIZE - HEADER_SIZE],
            });
            bytes[at - HEADER_SIZE] = category;
        }
        Ok(())
    }

    /// What the map says of a page that is not looked at: its free bytes.
    pub fn says(&mut self, block: u32) -> Result<usize, HeapError> {
        self.turn_to(block)?;
        let said = self
            .old
            .as_ref()
            .map_or(0, |page| page[layout::place(block).1]);
        Ok(layout::promised(said))
    }

    /// Writes what has been noted. Latch nothing.
    pub fn write(&mut self) -> Result<(), HeapError> {
        let Some(bytes) = self.bytes.take() else {
            return Ok(());
        };
        let mut mtx = MiniTx::begin(0);
        let map = mtx.latch(PageId::new(map_of(self.file), self.map_page))?;
        if header::kind(mtx.page(map)) != FREE_SPACE_KIND {
            mtx.init(map, FREE_SPACE_KIND, 0);
        }
        mtx.write(map, HEADER_SIZE, &bytes);
        mtx.commit()?;
        Ok(())
    }
}

/// Cuts the map to that of a table of `pages` pages.
pub fn cut(file: FileId, pages: u32) -> Result<(), HeapError> {
    let (map_page, at) = layout::place(pages);
    let mut mtx = MiniTx::begin(0);
    match mtx.latch(PageId::new(map_of(file), map_page)) {
        Ok(map) if header::kind(mtx.page(map)) == FREE_SPACE_KIND => {
            mtx.fill(map, at, PAGE_SIZE - at, 0);
            mtx.commit()?;
        }
        Ok(_) | Err(BufferError::NoSuchPage { .. }) => drop(mtx),
        Err(error) => return Err(error.into()),
    }
    let keep = if at == HEADER_SIZE {
        map_page
    } else {
        map_page + 1
    };
    map_file::cut(map_of(file), keep)
}
