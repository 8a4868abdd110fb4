//! Where the unwind tables of an address are.

use mod_mgmt::namespace::NAMESPACE;
use unwinding::custom_eh_frame_finder::{
    EhFrameFinder, FrameInfo, FrameInfoKind, set_custom_eh_frame_finder,
};

unsafe extern "C" {
    static __text_start: u8;
    static __text_end: u8;
    static __eh_frame_hdr_start: u8;
    static __eh_frame_start: u8;
}

/// The unwind tables that cover an address.
pub(crate) struct Tables {
    /// Address of `.eh_frame`.
    pub(crate) eh_frame: usize,
    /// Address of `.eh_frame_hdr`, its sorted index.
    pub(crate) index: usize,
}

pub(crate) fn tables(address: usize) -> Option<Tables> {
    let (start, end) = (
        &raw const __text_start as usize,
        &raw const __text_end as usize,
    );
    if (start..end).contains(&address) {
        return Some(Tables {
            eh_frame: &raw const __eh_frame_start as usize,
            index: &raw const __eh_frame_hdr_start as usize,
        });
    }
    let cell = NAMESPACE.by_address(address)?;
    (cell.eh_frame_hdr != 0).then_some(Tables {
        eh_frame: cell.eh_frame,
        index: cell.eh_frame_hdr,
    })
}

struct Finder;

// SAFETY: the tables come from the linker's output and end with a terminator;
// the cell that covers a return address on a stack stays loaded while the stack
// can return into it.
unsafe impl EhFrameFinder for Finder {
    fn find(&self, pc: usize) -> Option<FrameInfo> {
        Some(FrameInfo {
            text_base: None,
            kind: FrameInfoKind::EhFrameHdr(tables(pc)?.index),
        })
    }
}

static FINDER: Finder = Finder;

/// Makes unwinding work. Called once at boot.
pub fn init() {
    let _ = set_custom_eh_frame_finder(&FINDER);
}
