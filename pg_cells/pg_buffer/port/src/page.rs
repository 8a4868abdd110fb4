//! Reading pages.

use crate::{BufferError, PageId};
use core::ops::Deref;
use frame::{Pin, ReadGuard};
use pg_page::Page;

/// A page for reading: pinned and share-latched. Dropping it gives both back. A
/// task must not read-latch the same page twice, nor wait for anything slow
/// while it holds one.
#[derive(Debug)]
pub struct PageRead(ReadGuard);

/// A page that stays where it is in memory, without a latch. Reading it again
/// needs no look-up.
#[derive(Debug)]
pub struct PagePin(Pin);

/// Pins and share-latches a page, reading it from the disk when it is not in
/// memory.
///
/// # Errors
/// [`BufferError::NoSuchPage`] beyond the file's end; `Io` or `Corrupt` when it
/// could not be read.
pub fn read_page(id: PageId) -> Result<PageRead, BufferError> {
    let _ = id;
    Err(BufferError::NotRunning)
}

/// Starts reading pages that will be needed soon; those in memory cost nothing.
/// Never waits, and errors show when the page is read.
pub fn prefetch(pages: &[PageId]) {
    let _ = pages;
}

/// Sets bits in the u16 at the even `offset` of a page that is only read: not
/// logged, and the page does not count as changed, so the bits may be lost, and
/// are skipped when another task reads the page at this moment. True when set.
pub fn set_hint(page: &mut PageRead, offset: usize, bits: u16) -> bool {
    page.0.change_if_alone(|bytes| {
        if let Some([low, high]) = bytes.get_mut(offset..offset.saturating_add(2)) {
            *low |= bits.to_le_bytes()[0];
            *high |= bits.to_le_bytes()[1];
        }
    })
}

impl PageRead {
    /// Which page it is.
    #[must_use]
    pub fn id(&self) -> PageId {
        use core::sync::atomic::Ordering;
        PageId::unpack(self.0.frame().tag.load(Ordering::Relaxed))
    }

    /// Gives the latch back and keeps the page in memory.
    #[must_use]
    pub fn unlatch(self) -> PagePin {
        PagePin(self.0.unlatch())
    }
}

impl Deref for PageRead {
    type Target = Page;
    #[inline]
    fn deref(&self) -> &Page {
        &self.0
    }
}

impl PagePin {
    /// Latches the page again. It may have changed meanwhile. Blocks while a
    /// mini-transaction changes it.
    #[must_use]
    pub fn read(self) -> PageRead {
        PageRead(self.0.read())
    }
}
