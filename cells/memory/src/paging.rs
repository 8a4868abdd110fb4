//! The page tables.
//!
//! The address space, top down:
//!
//! | from | what |
//! |---|---|
//! | `0xffff_ffff_8000_0000` | the boot image, W^X, 4 KiB pages |
//! | `0xffff_e000_0000_0000` | MappedPages: cells, stacks. Addresses are never used again, so a stale pointer faults for ever |
//! | `0xffff_d000_0000_0000` | device registers, uncached |
//! | `0xffff_8000_0000_0000` | the window: all of physical memory, RW, never executable |
//!
//! The lower half is empty once all CPUs run. CPUs flush lazily: since addresses
//! are not reused, a stale translation can only be hit by a stale pointer.

use crate::{OutOfMemory, PAGE_SIZE, WINDOW, frames};
use sync::IrqLock;
use x86_64::structures::paging::mapper::{MapToError, MapperFlush, TranslateResult};
use x86_64::structures::paging::{
    FrameAllocator, Mapper, OffsetPageTable, Page, PageTable, PageTableFlags, PhysFrame, Size2MiB,
    Size4KiB, Translate,
};
use x86_64::{PhysAddr, VirtAddr};

static LOCK: IrqLock<()> = IrqLock::new(());

struct TableFrames;

// SAFETY: `frames::allocate` gives unused frames; they are zeroed here.
unsafe impl FrameAllocator<Size4KiB> for TableFrames {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        let physical = frames::allocate(1, frames::Owner::Tables).ok()?;
        // SAFETY: the frame is ours and mapped by the window.
        unsafe { ((WINDOW + physical) as *mut u8).write_bytes(0, PAGE_SIZE) };
        Some(PhysFrame::containing_address(PhysAddr::new(physical)))
    }
}

/// Runs `f` with the page tables; one CPU at a time.
fn with_tables<R>(f: impl FnOnce(&mut OffsetPageTable<'static>) -> R) -> R {
    let _guard = LOCK.lock();
    let (top, _) = x86_64::registers::control::Cr3::read();
    let top = (WINDOW + top.start_address().as_u64()) as *mut PageTable;
    // SAFETY: CR3 holds the one top table, the window maps it, and the lock
    // keeps others out.
    let mut tables = unsafe { OffsetPageTable::new(&mut *top, VirtAddr::new(WINDOW)) };
    f(&mut tables)
}

fn out_of_memory<S: x86_64::structures::paging::PageSize + core::fmt::Debug>(
    error: MapToError<S>,
) -> OutOfMemory {
    debug_assert!(
        matches!(error, MapToError::FrameAllocationFailed),
        "{error:?}"
    );
    OutOfMemory
}

/// Extends the window from the 4 GiB of the boot tables to `end`.
///
/// # Errors
/// When there is no memory for tables.
pub fn extend_window(end: u64) -> Result<(), OutOfMemory> {
    const STEP: u64 = 2 << 20;
    let flags = PageTableFlags::PRESENT
        | PageTableFlags::WRITABLE
        | PageTableFlags::NO_EXECUTE
        | PageTableFlags::GLOBAL;
    let mut at = 4 << 30;
    while at < end {
        with_tables(|tables| {
            let page = Page::<Size2MiB>::containing_address(VirtAddr::new(WINDOW + at));
            let frame = PhysFrame::containing_address(PhysAddr::new(at));
            // SAFETY: a new mapping in the window of memory that is only
            // reached by its owners.
            unsafe { tables.map_to(page, frame, flags, &mut TableFrames) }
                .map(MapperFlush::ignore)
                .map_err(out_of_memory)
        })?;
        at += STEP;
    }
    Ok(())
}

/// Makes the first 4 GiB of the window not executable, and maps the boot image
/// by its sections with 4 KiB pages: `sections` are `(start, end, flags)` in
/// virtual addresses, and lie `base` above their physical ones.
///
/// # Safety
/// The sections cover the running image.
///
/// # Errors
/// When there is no memory for tables.
pub unsafe fn protect_image(
    base: u64,
    sections: &[(u64, u64, PageTableFlags)],
) -> Result<(), OutOfMemory> {
    let top = x86_64::registers::control::Cr3::read()
        .0
        .start_address()
        .as_u64();
    // SAFETY: the boot tables' layout (nano_core's entry): entry 256 of the top
    // table points to the low pointer table, 511 to the high one.
    let low = unsafe { table(entry(top, 256)) };
    for pointer in low.iter_mut().take(4) {
        pointer.set_flags(pointer.flags() | PageTableFlags::NO_EXECUTE);
    }
    let Some(directory) = TableFrames.allocate_frame() else {
        return Err(OutOfMemory);
    };
    // SAFETY: a fresh, zeroed table.
    let fresh = unsafe { table(directory.start_address().as_u64()) };
    for (start, end, flags) in sections {
        let mut at = *start;
        while at < *end {
            let slot = &mut fresh[((at >> 21) & 511) as usize];
            if slot.is_unused() {
                let Some(frame) = TableFrames.allocate_frame() else {
                    return Err(OutOfMemory);
                };
                slot.set_frame(frame, PageTableFlags::PRESENT | PageTableFlags::WRITABLE);
            }
            // SAFETY: the table that the slot points to is ours.
            let leaf = unsafe { table(slot.addr().as_u64()) };
            leaf[((at >> 12) & 511) as usize].set_addr(
                PhysAddr::new(at - base),
                *flags | PageTableFlags::PRESENT | PageTableFlags::GLOBAL,
            );
            at += PAGE_SIZE as u64;
        }
    }
    // SAFETY: as above.
    let high = unsafe { table(entry(top, 511)) };
    high[510].set_addr(
        directory.start_address(),
        PageTableFlags::PRESENT | PageTableFlags::WRITABLE,
    );
    flush_all();
    Ok(())
}

/// Makes the first 2 MiB executable at its own address, for the other CPUs'
/// trampoline, or takes the whole lower half away.
pub fn set_identity(on: bool) {
    let top = x86_64::registers::control::Cr3::read()
        .0
        .start_address()
        .as_u64();
    let _guard = LOCK.lock();
    // SAFETY: the top table; entry 0 is the boot tables' identity map and
    // nothing runs or points there after boot.
    let top_table = unsafe { table(top) };
    if on {
        // SAFETY: as in `protect_image`.
        let low = unsafe { table(entry(top, 256)) };
        let flags = low[0].flags() & !PageTableFlags::NO_EXECUTE;
        low[0].set_flags(flags);
    } else {
        top_table[0].set_unused();
        // SAFETY: as in `protect_image`.
        let low = unsafe { table(entry(top, 256)) };
        let flags = low[0].flags() | PageTableFlags::NO_EXECUTE;
        low[0].set_flags(flags);
    }
    flush_all();
}

/// The physical address in entry `index` of the table at `physical`.
fn entry(physical: u64, index: usize) -> u64 {
    // SAFETY: callers pass the address of a table of ours.
    let table = unsafe { table(physical) };
    table[index].addr().as_u64()
}

/// # Safety
/// `physical` is a page table, and nobody else changes it meanwhile.
unsafe fn table(physical: u64) -> &'static mut PageTable {
    // SAFETY: the window maps it; the rest is the caller's promise.
    unsafe { &mut *((WINDOW + physical) as *mut PageTable) }
}

/// Drops all translations of this CPU, global ones too.
pub fn flush_all() {
    use x86_64::registers::control::{Cr4, Cr4Flags};
    let cr4 = Cr4::read();
    // SAFETY: toggling PGE flushes and changes nothing else.
    unsafe {
        Cr4::write(cr4 - Cr4Flags::PAGE_GLOBAL);
        Cr4::write(cr4);
    }
}

/// Maps the page at `virt` to a frame.
pub(crate) fn map(virt: u64, physical: u64, flags: PageTableFlags) -> Result<(), OutOfMemory> {
    with_tables(|tables| {
        let page = Page::<Size4KiB>::containing_address(VirtAddr::new(virt));
        let frame = PhysFrame::containing_address(PhysAddr::new(physical));
        // SAFETY: callers map fresh addresses to frames or registers they own.
        unsafe {
            tables.map_to(
                page,
                frame,
                flags | PageTableFlags::PRESENT,
                &mut TableFrames,
            )
        }
        .map(MapperFlush::ignore)
        .map_err(out_of_memory)
    })
}

/// Changes the flags of the page at `virt`.
pub(crate) fn protect(virt: u64, flags: PageTableFlags) {
    with_tables(|tables| {
        let page = Page::<Size4KiB>::containing_address(VirtAddr::new(virt));
        // SAFETY: callers own the page; W^X is kept by `MappedPages`.
        if let Ok(flush) = unsafe { tables.update_flags(page, flags | PageTableFlags::PRESENT) } {
            flush.flush();
        }
    });
}

/// Allows or forbids writing to mapped pages, changing one bit of each entry in
/// place: no lock and no memory is needed, so a fault handler may call it.
///
/// # Safety
/// The caller owns the pages, and nobody maps or unmaps them meanwhile.
pub unsafe fn set_writable(start: u64, len: usize, writable: bool) {
    use core::sync::atomic::{AtomicU64, Ordering};
    let (top, _) = x86_64::registers::control::Cr3::read();
    for page in (start..start + len as u64).step_by(PAGE_SIZE) {
        let mut table = top.start_address().as_u64();
        for shift in [39, 30, 21] {
            table = entry(table, ((page >> shift) & 511) as usize);
        }
        let leaf = (WINDOW + table + ((page >> 12) & 511) * 8) as *const AtomicU64;
        // SAFETY: the leaf entry of a mapped page of the caller's.
        let leaf = unsafe { &*leaf };
        let bit = PageTableFlags::WRITABLE.bits();
        if writable {
            leaf.fetch_or(bit, Ordering::SeqCst);
        } else {
            leaf.fetch_and(!bit, Ordering::SeqCst);
        }
        x86_64::instructions::tlb::flush(VirtAddr::new(page));
    }
}

/// Takes the page at `virt` away and gives its frame.
pub(crate) fn unmap(virt: u64) -> Option<u64> {
    with_tables(|tables| {
        let (frame, flush) = tables
            .unmap(Page::<Size4KiB>::containing_address(VirtAddr::new(virt)))
            .ok()?;
        flush.flush();
        Some(frame.start_address().as_u64())
    })
}

/// The physical address and flags behind a virtual one; for reports.
#[must_use]
pub fn translate(virt: u64) -> Option<(u64, PageTableFlags)> {
    let virt = VirtAddr::try_new(virt).ok()?;
    with_tables(|tables| match tables.translate(virt) {
        TranslateResult::Mapped {
            frame,
            offset,
            flags,
        } => Some((frame.start_address().as_u64() + offset, flags)),
        _ => None,
    })
}
