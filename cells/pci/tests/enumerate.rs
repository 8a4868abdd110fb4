//! Enumeration, windows, claims and MSI-X over a fake configuration space.

use pci::fake::{FakeConfig, FakeFunction};
use pci::{Address, BarKind, ConfigSpace, PciBus, PciError};
use std::sync::Arc;

const NVME: [u8; 3] = [1, 8, 2];
const WINDOW: core::ops::Range<u64> = 0xC000_0000..0xC100_0000;

fn at(bus: u8, device: u8, function: u8) -> Address {
    Address {
        bus,
        device,
        function,
    }
}

fn bridge(secondary: u32) -> FakeFunction {
    FakeFunction::new(0x1b36, 0x000c, [6, 4, 0])
        .word(0x0c, 0x0001_0000, 0)
        .word(0x18, secondary << 8 | secondary << 16, 0x00ff_ffff)
}

fn scan(config: FakeConfig) -> PciBus {
    PciBus::scan(ConfigSpace::new(Arc::new(config)), 0..=15, WINDOW)
}

fn host_bridge() -> FakeConfig {
    FakeConfig::default().with(0, 0, 0, FakeFunction::new(0x8086, 0x29c0, [6, 0, 0]))
}

#[test]
fn functions_behind_bridges_are_found() {
    let multi = FakeFunction::new(0x8086, 0x2918, [6, 1, 0]).word(0x0c, 0x0080_0000, 0);
    let bus = scan(
        host_bridge()
            .with(0, 31, 0, multi)
            .with(0, 31, 3, FakeFunction::new(0x8086, 0x2930, [0x0c, 5, 0]))
            .with(0, 4, 1, FakeFunction::new(0x8086, 1, [2, 0, 0]))
            .with(0, 2, 0, bridge(3))
            .with(3, 0, 0, FakeFunction::new(0x1b36, 0x0010, NVME))
            // Not numbered by the firmware: gets the next number, 4.
            .with(0, 3, 0, bridge(0))
            .with(4, 1, 0, FakeFunction::new(0x1af4, 0x1041, [2, 0, 0])),
    );
    let found: Vec<Address> = bus.devices().iter().map(|d| d.address).collect();
    // 0:4.1 is not there: its device has no function 0.
    let expected = [
        (0, 0, 0),
        (0, 2, 0),
        (3, 0, 0),
        (0, 3, 0),
        (4, 1, 0),
        (0, 31, 0),
        (0, 31, 3),
    ];
    assert_eq!(found, expected.map(|(b, d, f)| at(b, d, f)));
    assert_eq!(bus.config_space().read32(at(0, 3, 0), 0x18), 0x0004_0400);
}

#[test]
fn windows_are_sized_and_unplaced_ones_get_a_place() {
    let placed = FakeFunction::new(1, 1, NVME)
        .bar(0, 0x8_0000_0000, 0x4000, 0xc)
        .bar(2, 0xC0FF_F000, 0x1000, 0)
        .bar(3, 0x6040, 0x20, 1);
    let unplaced = FakeFunction::new(1, 2, NVME).bar(0, 0, 0x4000, 4);
    let bus = scan(host_bridge().with(0, 1, 0, placed).with(0, 2, 0, unplaced));
    let bars = bus.devices()[1].bars;
    let first = bars[0].unwrap();
    assert_eq!(
        (first.kind, first.base, first.size, first.prefetchable),
        (BarKind::Memory64, 0x8_0000_0000, 0x4000, true)
    );
    assert_eq!(bars[1], None);
    assert_eq!(
        bars[2].map(|b| (b.kind, b.size)),
        Some((BarKind::Memory32, 0x1000))
    );
    assert_eq!(
        bars[3].map(|b| (b.kind, b.base, b.size)),
        Some((BarKind::Io, 0x6040, 0x20))
    );
    // The highest free place below the window that is taken.
    assert_eq!(bus.devices()[2].bars[0].map(|b| b.base), Some(0xC0FF_8000));
    assert_eq!(
        bus.config_space().read32(at(0, 2, 0), 0x10),
        0xC0FF_8000 | 4
    );
    // The probe has left the other registers as they were.
    assert_eq!(bus.config_space().read32(at(0, 1, 0), 0x14), 8);
}

#[test]
fn a_device_is_claimed_once() {
    let bus = scan(host_bridge().with(0, 1, 0, FakeFunction::new(1, 1, NVME)));
    let claim = bus.claim_class(1, 8, 2).unwrap();
    assert!(bus.claim_class(1, 8, 2).is_none());
    assert!(bus.claim_id(1, &[1]).is_none());
    claim.enable();
    assert_eq!(claim.config_read32(4) & 6, 6);
    drop(claim);
    assert_eq!(
        bus.config_space().read32(at(0, 1, 0), 4) & 4,
        0,
        "bus master is off"
    );
    assert!(bus.claim_id(1, &[7, 1]).is_some());
}

#[test]
fn messages_are_programmed_into_the_table() {
    let registers = pci::fake::registers(0x4000).unwrap();
    let device = FakeFunction::new(1, 1, NVME)
        .bar(0, registers, 0x4000, 4)
        .msix(4, 0, 0x2010);
    let bus = scan(host_bridge().with(0, 1, 0, device));
    let claim = bus.claim_class(1, 8, 2).unwrap();
    let memory = claim.map(0, usize::MAX).unwrap();
    let table = claim.msix().unwrap();
    assert_eq!(table.len(), 4);
    assert!(table.set(2, (0x1_FEE0_1000, 0x41)));
    assert!(!table.set(4, (0, 0)));
    let entry = |n: usize| [0, 4, 8, 12].map(|o| memory.read32(0x2010 + 16 * n + o));
    assert_eq!(entry(2), [0xFEE0_1000, 1, 0x41, 0]);
    assert_eq!(entry(1)[3], 1, "entries not set stay masked");
    assert_eq!(
        claim.config_read32(0x40) >> 30,
        2,
        "on, not masked as a whole"
    );
}

#[test]
fn a_table_outside_its_window_is_refused() {
    let registers = pci::fake::registers(0x2000).unwrap();
    let device = FakeFunction::new(1, 1, NVME)
        .bar(0, registers, 0x2000, 4)
        .msix(64, 0, 0x1f00);
    let bus = scan(host_bridge().with(0, 1, 0, device).with(
        0,
        2,
        0,
        FakeFunction::new(1, 2, NVME),
    ));
    assert_eq!(
        bus.claim_id(1, &[1]).unwrap().msix().err(),
        Some(PciError::NoWindow(0))
    );
    assert_eq!(
        bus.claim_id(1, &[2]).unwrap().msix().err(),
        Some(PciError::NoMsix)
    );
}
