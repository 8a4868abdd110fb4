//! The order of boot: memory, tables, unwinding, the archive, the cells, the
//! captain. Reads like a list; to change what is started after the captain, see
//! `captain/src/plan.rs`.

use crate::boot_info::BootInfo;
use crate::serial::{self, EarlyLog};
use crate::{exceptions, tables};
use alloc::string::{String, ToString};
use cell_archive::{Archive, EntryKind};
use cpu::kernel::PerCpu;
use memory::{WINDOW, frames, paging};
use mod_mgmt::LoadError;
use mod_mgmt::namespace::NAMESPACE;
use x86_64::structures::paging::PageTableFlags;

/// Where the linker script puts the image.
const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;

unsafe extern "C" {
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __data_end: u8;
}

/// What the boot loader gave that cells may ask for.
#[derive(Debug)]
pub struct BootData {
    /// The command line.
    pub command_line: String,
    /// Physical address of the ACPI root pointer; zero when unknown.
    pub rsdp: u64,
    /// The cell archive. It stays in memory.
    pub archive: &'static [u8],
    /// The time stamp counter at entry.
    pub tsc_at_entry: u64,
}

static BOOT_DATA: spin::Once<BootData> = spin::Once::new();
static BOOT_CPU: PerCpu = PerCpu::new();
static EARLY_LOG: EarlyLog = EarlyLog;

/// What the boot loader gave.
///
/// # Panics
/// Before the boot has got that far.
#[must_use]
pub fn boot_data() -> &'static BootData {
    BOOT_DATA
        .get()
        .expect("boot data is set before the first cell is loaded")
}

macro_rules! address {
    ($symbol:ident) => {
        (&raw const $symbol) as u64
    };
}

#[unsafe(no_mangle)]
extern "C" fn kernel_main(start_info: u32) -> ! {
    let tsc_at_entry = cpu::tsc();
    tables::set_area(&BOOT_CPU, 0);
    serial::print(format_args!("mitos: nano_core\n"));
    // SAFETY: the entry code passes what PVH gave, and the boot tables map the
    // first 4 GiB at the window.
    let boot = match unsafe { BootInfo::read(u64::from(start_info), WINDOW) } {
        Ok(boot) => boot,
        Err(error) => stop(format_args!("cannot boot: {error:?}")),
    };
    set_up_memory(&boot);
    if tables::load(&BOOT_CPU).is_err() {
        stop(format_args!("cannot boot: no memory for interrupt stacks"));
    }
    unwind::init();
    unwind::set_console(serial_in_emergency);
    for vector in [
        0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 28, 29, 30,
    ] {
        exceptions::set_handler(vector, unwind::exception);
    }
    let _ = log::set_logger(&EARLY_LOG);
    log::set_max_level(log::LevelFilter::Info);
    let Some(region) = boot.archive else {
        stop(format_args!(
            "cannot boot: no cell archive; start QEMU with -initrd mitos.img"
        ));
    };
    // SAFETY: the archive's memory is reserved and the window maps it.
    let archive = unsafe {
        core::slice::from_raw_parts(
            (WINDOW + region.start) as *const u8,
            (region.end - region.start) as usize,
        )
    };
    BOOT_DATA.call_once(|| BootData {
        command_line: boot.command_line().to_string(),
        rsdp: boot.rsdp,
        archive,
        tsc_at_entry,
    });
    match load_cells(archive) {
        Ok(captain) => start_captain(captain),
        Err(error) => stop(format_args!("cannot boot: {error}")),
    }
}

fn serial_in_emergency(arguments: core::fmt::Arguments<'_>) {
    serial::dying();
    serial::print(arguments);
}

fn stop(why: core::fmt::Arguments<'_>) -> ! {
    serial::print(format_args!("mitos: {why}\n"));
    unwind::exit(0x22)
}

fn set_up_memory(boot: &BootInfo) {
    let usable: [(u64, u64); 32] =
        core::array::from_fn(|i| boot.usable().get(i).map_or((0, 0), |r| (r.start, r.end)));
    let image_end = address!(__data_end) - KERNEL_BASE;
    let archive = boot.archive.map_or((0, 0), |r| (r.start, r.end));
    // The first MiB holds the BIOS, the start info and the CPUs' trampoline.
    let reserved = [(0, 0x10_0000), (0x10_0000, image_end), archive];
    let end = boot.usable().iter().map(|r| r.end).max().unwrap_or(0);
    // The window beyond 4 GiB comes after the allocator, which must not hand out
    // what is not mapped yet: low memory goes first.
    let low = usable.map(|(start, end)| (start.min(1 << 32), end.min(1 << 32)));
    let high = usable.map(|(start, end)| (start.max(1 << 32), end.max(1 << 32)));
    // SAFETY: the boot loader's map; the window covers 4 GiB.
    if unsafe { frames::init(&low, &reserved, end) }.is_err() {
        stop(format_args!(
            "cannot boot: not enough memory; give the machine 256 MiB at least"
        ));
    }
    if paging::extend_window(end).is_err() {
        stop(format_args!("cannot boot: no memory for page tables"));
    }
    // SAFETY: now mapped, and not given to anyone before.
    unsafe { frames::add(&high) };
    let sections = [
        (
            address!(__text_start),
            address!(__text_end),
            PageTableFlags::empty(),
        ),
        (
            address!(__rodata_start),
            address!(__rodata_end),
            PageTableFlags::NO_EXECUTE,
        ),
        (
            address!(__data_start),
            address!(__data_end),
            PageTableFlags::NO_EXECUTE | PageTableFlags::WRITABLE,
        ),
    ];
    // SAFETY: the linker script's sections are the whole image.
    if unsafe { paging::protect_image(KERNEL_BASE, &sections) }.is_err() {
        stop(format_args!("cannot boot: no memory for page tables"));
    }
}

/// Loads every cell of the archive, in its order; gives the captain.
fn load_cells(bytes: &'static [u8]) -> Result<&'static port::Cell, LoadError> {
    let archive: Archive<'static> = mod_mgmt::loader::open(bytes)?;
    mod_mgmt::loader::enter_base(&archive)?;
    for entry in archive.entries().filter(|e| e.kind == EntryKind::Cell) {
        let cell = mod_mgmt::loader::load(&entry).inspect_err(|_| {
            serial::print(format_args!("mitos: while loading {}\n", entry.name));
        })?;
        drop(NAMESPACE.make_current(&cell));
    }
    let captain = NAMESPACE
        .find("captain")
        .ok_or_else(|| LoadError::NotFound("captain".to_string()))?;
    captain
        .cell()
        .ok_or_else(|| LoadError::NoDescriptor("captain".to_string()))
}

fn start_captain(captain: &'static port::Cell) -> ! {
    let options = port::Options::parse(&boot_data().command_line);
    let Some(code) = NAMESPACE.find(captain.name) else {
        stop(format_args!("the captain is gone"))
    };
    let mut birth = port::Birth::new(port::CellRef(code), &options, alloc::vec::Vec::new());
    let result = (captain.birth)(&mut birth);
    match result {
        Ok(()) => stop(format_args!("the captain returned")),
        Err(error) => stop(format_args!("cannot boot: {error}")),
    }
}
