//! GDT, TSS and IDT. Every gate has an interrupt stack of its own kind, because
//! prebuilt core uses the red zone: a handler must never run on the stack it
//! interrupted.

use alloc::boxed::Box;
use cpu::kernel::PerCpu;
use memory::{MappedPages, OutOfMemory};
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable};
use x86_64::structures::tss::TaskStateSegment;

/// Interrupt stacks by what runs on them.
pub(crate) const IST_INTERRUPT: u16 = 0;
pub(crate) const IST_EXCEPTION: u16 = 1;
pub(crate) const IST_DOUBLE_FAULT: u16 = 2;
pub(crate) const IST_NMI: u16 = 3;
const STACKS: usize = 4;
const STACK_SIZE: usize = 32 * 1024;

/// Gives the running CPU its own GDT, TSS and interrupt stacks, and the common
/// IDT. `area` is its per-CPU area, which GS already points to.
///
/// # Errors
/// When there is no memory for the stacks.
pub fn load(area: &'static PerCpu) -> Result<(), OutOfMemory> {
    let tss = Box::leak(Box::new(TaskStateSegment::new()));
    for stack in 0..STACKS {
        let pages = Box::leak(Box::new(MappedPages::allocate(STACK_SIZE)?));
        tss.interrupt_stack_table[stack] = VirtAddr::new((pages.start() + pages.len()) as u64);
    }
    let gdt = Box::leak(Box::new(GlobalDescriptorTable::new()));
    let code = gdt.append(Descriptor::kernel_code_segment());
    let data = gdt.append(Descriptor::kernel_data_segment());
    let task = gdt.append(Descriptor::tss_segment(tss));
    gdt.load();
    // SAFETY: the selectors are those of the table just loaded. GS and FS are
    // left alone: loading them would clear their bases.
    unsafe {
        CS::set_reg(code);
        SS::set_reg(data);
        DS::set_reg(data);
        ES::set_reg(data);
        load_tss(task);
    }
    crate::exceptions::load_idt();
    debug_assert!(core::ptr::eq(cpu::this(), area));
    Ok(())
}

/// Makes `area` the running CPU's per-CPU area.
pub fn set_area(area: &'static PerCpu, id: usize) {
    use core::sync::atomic::Ordering;
    area.this
        .store(core::ptr::from_ref(area).cast_mut(), Ordering::Relaxed);
    area.id.store(id as u32, Ordering::Relaxed);
    x86_64::registers::model_specific::GsBase::write(VirtAddr::new(
        core::ptr::from_ref(area) as u64
    ));
}
