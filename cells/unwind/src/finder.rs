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
pub(crate) enum Tables {
    /// The boot image's, with a sorted index.
    Base {
        /// Address of `.eh_frame`.
        eh_frame: usize,
        /// Address of `.eh_frame_hdr`.
        index: usize,
    },
    /// A cell's.
    Cell {
        /// Address of `.eh_frame`.
        eh_frame: usize,
    },
}

pub(crate) fn tables(address: usize) -> Option<Tables> {
    let (start, end) = (
        &raw const __text_start as usize,
        &raw const __text_end as usize,
    );
    let (index, eh_frame) = (
        &raw const __eh_frame_hdr_start as usize,
        &raw const __eh_frame_start as usize,
    );
    if (start..end).contains(&address) {
        return Some(Tables::Base { eh_frame, index });
    }
    let cell = NAMESPACE.by_address(address)?;
    (cell.eh_frame != 0).then_some(Tables::Cell {
        eh_frame: cell.eh_frame,
    })
}

struct Finder;

// SAFETY: the tables come from the linker's output and end with a terminator;
// the cell that covers a return address on a stack stays loaded while the stack
// can return into it.
unsafe impl EhFrameFinder for Finder {
    fn find(&self, pc: usize) -> Option<FrameInfo> {
        let kind = match tables(pc)? {
            Tables::Base { index, .. } => FrameInfoKind::EhFrameHdr(index),
            Tables::Cell { eh_frame } => FrameInfoKind::EhFrame(eh_frame),
        };
        Some(FrameInfo {
            text_base: None,
            kind,
        })
    }
}

static FINDER: Finder = Finder;

/// Makes unwinding work. Called once at boot.
pub fn init() {
    let _ = set_custom_eh_frame_finder(&FINDER);
}
