//! The other CPUs: from their reset to Rust on their own tables and stack.

use crate::entry::AP_TRAMPOLINE;
use crate::tables;
use alloc::boxed::Box;
use core::sync::atomic::{AtomicBool, Ordering};
use cpu::kernel::PerCpu;
use memory::{MappedPages, OutOfMemory, WINDOW, paging};

unsafe extern "C" {
    static ap_trampoline_start: u8;
    static ap_trampoline_end: u8;
    static ap_parameters: u8;
}

/// What a starting CPU needs. Leaked: CPUs never stop.
struct Start {
    id: usize,
    apic_id: u32,
    area: &'static PerCpu,
    main: fn(),
    stack: MappedPages,
    up: AtomicBool,
}

/// A CPU that is being started.
pub struct Starting(&'static Start);

impl Starting {
    /// Whether it has reached Rust.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.up.load(Ordering::Acquire)
    }
}

/// The page the start-up interrupt names: the trampoline's address / 4096.
pub const START_PAGE: u8 = (AP_TRAMPOLINE / 4096) as u8;

/// Makes everything ready for CPU `id` with this APIC id to start; the caller
/// then sends it INIT and start-up interrupts and waits for
/// [`Starting::is_up`]. The CPU loads its tables and calls `main`, which never
/// returns. One CPU at a time.
///
/// # Errors
/// When there is no memory for its stack.
pub fn prepare(id: usize, apic_id: u32, main: fn()) -> Result<Starting, OutOfMemory> {
    let stack = MappedPages::allocate(64 * 1024)?;
    let top = (stack.start() + stack.len()) as u64;
    let area = Box::leak(Box::new(PerCpu::new()));
    area.apic_id.store(apic_id, Ordering::Relaxed);
    let start: &'static Start = Box::leak(Box::new(Start {
        id,
        apic_id,
        area,
        main,
        stack,
        up: AtomicBool::new(false),
    }));
    paging::set_identity(true);
    // SAFETY: the trampoline's page below 1 MiB is never given to anyone, and the
    // parameters lie inside the trampoline.
    unsafe {
        let from = &raw const ap_trampoline_start;
        let len = (&raw const ap_trampoline_end).offset_from(from) as usize;
        let to = (WINDOW + AP_TRAMPOLINE) as *mut u8;
        to.copy_from_nonoverlapping(from, len);
        let parameters = to
            .offset((&raw const ap_parameters).offset_from(from))
            .cast::<u64>();
        let (cr3, _) = x86_64::registers::control::Cr3::read();
        parameters.write_volatile(cr3.start_address().as_u64());
        parameters.add(1).write_volatile(top);
        parameters
            .add(2)
            .write_volatile(core::ptr::from_ref(start) as u64);
        parameters
            .add(3)
            .write_volatile(ap_main as *const () as u64);
    }
    Ok(Starting(start))
}

/// All CPUs run: the lower half of the address space goes away.
pub fn finish() {
    paging::set_identity(false);
}

extern "C" fn ap_main(start: &'static Start) -> ! {
    tables::set_area(start.area, start.id);
    paging::flush_all();
    if tables::load(start.area).is_err() {
        crate::serial::print(format_args!(
            "mitos: no memory for cpu{} (apic {})\n",
            start.id, start.apic_id
        ));
        unwind::exit(0x21);
    }
    debug_assert!(start.stack.len() > 0);
    start.up.store(true, Ordering::Release);
    (start.main)();
    unreachable!("a CPU's main returned");
}
