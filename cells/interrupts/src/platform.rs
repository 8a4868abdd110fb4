//! What ACPI says: CPUs, interrupt controllers, PCI configuration space.

use acpi::sdt::madt::{Madt, MadtEntry};
use acpi::sdt::mcfg::Mcfg;
use acpi::{AcpiTables, Handler, PciAddress, PhysicalMapping};
use alloc::vec::Vec;
use core::ptr::NonNull;
use memory::WINDOW;
use spin::Once;

/// The machine as ACPI describes it.
#[derive(Debug)]
pub struct Platform {
    /// The APIC ids of all usable CPUs; the boot CPU first.
    pub cpus: Vec<u32>,
    /// Physical address of the local APICs.
    pub local_apic: u64,
    /// Physical address and first input of each I/O APIC.
    pub io_apics: Vec<(u64, u32)>,
    /// ISA interrupts that are wired otherwise: irq, input, MPS INTI flags.
    overrides: Vec<(u8, u32, u16)>,
    /// PCI configuration space: physical address, first and last bus.
    pub ecam: Option<(u64, u8, u8)>,
    /// The power management timer's port: 3,579,545 Hz.
    pub pm_timer: Option<u16>,
}

static PLATFORM: Once<Platform> = Once::new();

/// What [`init`] found.
///
/// # Panics
/// Before [`init`].
#[must_use]
pub fn get() -> &'static Platform {
    PLATFORM
        .get()
        .expect("platform::init comes first in the boot plan")
}

impl Platform {
    /// The I/O APIC input of an ISA interrupt, and its flags.
    #[must_use]
    pub fn isa(&self, irq: u8) -> (u32, u16) {
        let found = self.overrides.iter().find(|o| o.0 == irq);
        found.map_or((u32::from(irq), 0), |o| (o.1, o.2))
    }
}

pub(crate) fn init(rsdp: u64) {
    PLATFORM.call_once(|| {
        // What every PC has, should ACPI be silent.
        let mut platform = Platform {
            cpus: alloc::vec![0],
            local_apic: 0xfee0_0000,
            io_apics: alloc::vec![(0xfec0_0000, 0)],
            overrides: Vec::new(),
            ecam: None,
            pm_timer: None,
        };
        // SAFETY: the boot loader's root pointer; the tables are in memory that
        // is never given out.
        match unsafe { AcpiTables::from_rsdp(Window, rsdp as usize) } {
            Ok(tables) => read(&tables, &mut platform),
            Err(error) => log::warn!("no ACPI tables ({error:?}): one CPU"),
        }
        platform
    });
}

fn read(tables: &AcpiTables<Window>, platform: &mut Platform) {
    if let Some(madt) = tables.find_table::<Madt>() {
        let madt = madt.get();
        platform.local_apic = u64::from(madt.local_apic_address);
        platform.io_apics.clear();
        platform.cpus.clear();
        for entry in madt.entries() {
            match entry {
                MadtEntry::LocalApic(cpu) if { cpu.flags } & 1 != 0 => {
                    platform.cpus.push(u32::from(cpu.apic_id))
                }
                MadtEntry::IoApic(io) => {
                    platform.io_apics.push((
                        u64::from(io.io_apic_address),
                        io.global_system_interrupt_base,
                    ));
                }
                MadtEntry::InterruptSourceOverride(o) => {
                    platform
                        .overrides
                        .push((o.irq, o.global_system_interrupt, o.flags));
                }
                _ => {}
            }
        }
    }
    if let Some(mcfg) = tables.find_table::<Mcfg>()
        && let Some(entry) = mcfg.entries().first()
    {
        platform.ecam = Some((
            entry.base_address,
            entry.bus_number_start,
            entry.bus_number_end,
        ));
    }
    if let Some(fadt) = tables.find_table::<acpi::sdt::fadt::Fadt>()
        && let Ok(Some(timer)) = acpi::platform::PmTimer::new(&fadt)
    {
        platform.pm_timer = u16::try_from(timer.base.address).ok();
    }
}

/// ACPI's tables are read through the window.
#[derive(Clone)]
struct Window;

/// The rest of the trait serves ACPI's bytecode, which is not run.
macro_rules! not_used {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(fn $name(&self, $($argument: $type),*) $(-> $result)? {
            $(let _ = $argument;)*
            Default::default()
        })*
    };
}

impl Handler for Window {
    unsafe fn map_physical_region<T>(
        &self,
        physical_address: usize,
        size: usize,
    ) -> PhysicalMapping<Self, T> {
        PhysicalMapping {
            physical_start: physical_address,
            virtual_start: NonNull::new((WINDOW as usize + physical_address) as *mut T)
                .unwrap_or(NonNull::dangling()),
            region_length: size,
            mapped_length: size,
            handler: Window,
        }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}

    not_used! {
        read_u8(address: usize) -> u8;
        read_u16(address: usize) -> u16;
        read_u32(address: usize) -> u32;
        read_u64(address: usize) -> u64;
        write_u8(address: usize, value: u8);
        write_u16(address: usize, value: u16);
        write_u32(address: usize, value: u32);
        write_u64(address: usize, value: u64);
        read_io_u8(port: u16) -> u8;
        read_io_u16(port: u16) -> u16;
        read_io_u32(port: u16) -> u32;
        write_io_u8(port: u16, value: u8);
        write_io_u16(port: u16, value: u16);
        write_io_u32(port: u16, value: u32);
        read_pci_u8(address: PciAddress, offset: u16) -> u8;
        read_pci_u16(address: PciAddress, offset: u16) -> u16;
        read_pci_u32(address: PciAddress, offset: u16) -> u32;
        write_pci_u8(address: PciAddress, offset: u16, value: u8);
        write_pci_u16(address: PciAddress, offset: u16, value: u16);
        write_pci_u32(address: PciAddress, offset: u16, value: u32);
        nanos_since_boot() -> u64;
        stall(microseconds: u64);
        sleep(milliseconds: u64);
        release(mutex: acpi::Handle);
    }

    fn create_mutex(&self) -> acpi::Handle {
        acpi::Handle(0)
    }

    fn acquire(&self, _: acpi::Handle, _: u16) -> Result<(), acpi::aml::AmlError> {
        Ok(())
    }
}
