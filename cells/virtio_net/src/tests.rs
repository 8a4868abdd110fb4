//! The driver against a device made of ordinary memory. The device's side of
//! the rings is written here once more, from the specification.

use crate::nic::VirtioNic;
use crate::open::{self, OpenError};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use memory::{DeviceMemory, DmaRegion};
use pci::fake::{FakeConfig, FakeFunction};
use pci::{ClaimedDevice, ConfigSpace, PciBus};
use port::Component;
use virtio_net_port::ring::{BUFFER, Place};
use virtio_net_port::state::{self, NicState};
use virtio_net_port::{Nic, NicError};

const WINDOW: usize = 0x4000;
const DEPTH: u16 = 64;
const MESSAGE: (u64, u32) = (0xfee0_1000, 0x41);

/// The device's registers: ordinary memory, so what was written last is read.
struct Board {
    memory: DeviceMemory,
    msix: DeviceMemory,
    _backing: Arc<DmaRegion>,
}

/// A claimed device on a board. Feature words read the same for both halves:
/// address, status, and bit 0, which is version 1 in the upper half.
fn board(features: u32) -> (Board, ClaimedDevice) {
    let backing = DmaRegion::allocate(3 * WINDOW).unwrap();
    let base = backing.physical().next_multiple_of(WINDOW as u64);
    let memory = DeviceMemory::map(base, WINDOW).unwrap();
    let msix = DeviceMemory::map(base + WINDOW as u64, 0x1000).unwrap();
    memory.write32(4, features);
    memory.write16(24, DEPTH);
    memory.write16(30, 3);
    for (i, byte) in [0x52, 0x54, 0, 1, 2, 3].into_iter().enumerate() {
        memory.write8(0x2000 + i, byte);
    }
    memory.write16(0x2006, 1);
    let piece = |f: FakeFunction, at: u16, next: u32, kind: u32, offset: u32, len: u32| {
        f.word(at, 9 | next << 8 | 20 << 16 | kind << 24, 0)
            .word(at + 4, 4, 0)
            .word(at + 8, offset, 0)
            .word(at + 12, len, 0)
            .word(at + 16, 4, 0)
    };
    let function = FakeFunction::new(0x1af4, 0x1041, [2, 0, 0])
        .bar(2, base + WINDOW as u64, 0x1000, 4)
        .bar(4, base, WINDOW as u64, 4)
        .msix(2, 2, 0)
        .word(0x40, 1 << 16 | 0x50 << 8 | 0x11, 0xc000_0000);
    let function = piece(function, 0x50, 0x70, 1, 0, 56);
    let function = piece(function, 0x70, 0x90, 2, 0x1000, 0x1000);
    let function = piece(function, 0x90, 0, 4, 0x2000, 0x1000);
    let config = FakeConfig::default().with(0, 0, 0, function);
    let bus = PciBus::scan(
        ConfigSpace::new(Arc::new(config)),
        0..=0,
        0xc000_0000..0xc100_0000,
    );
    let device = bus.claim_id(open::VENDOR, &open::DEVICES).unwrap();
    let board = Board {
        memory,
        msix,
        _backing: backing,
    };
    (board, device)
}

const FEATURES: u32 = 1 << 16 | 1 << 5 | 1;

fn started() -> (Board, Arc<NicState>) {
    let (board, device) = board(FEATURES);
    let hardware = Arc::new(open::registers(device).unwrap());
    (board, Arc::new(open::start(hardware, MESSAGE).unwrap()))
}

/// The device's side of one ring.
struct Side {
    descriptors: DeviceMemory,
    available: DeviceMemory,
    used: DeviceMemory,
    depth: u16,
    seen: u16,
    given: u16,
}

impl Side {
    fn new(place: Place, depth: u16) -> Self {
        let n = usize::from(depth);
        Side {
            descriptors: DeviceMemory::map(place.descriptors, 16 * n).unwrap(),
            available: DeviceMemory::map(place.available, 4 + 2 * n).unwrap(),
            used: DeviceMemory::map(place.used, 4 + 8 * n).unwrap(),
            depth,
            seen: 0,
            given: 0,
        }
    }

    /// The next buffer offered: descriptor, memory, whether it may be written.
    fn next(&mut self) -> Option<(u16, DeviceMemory, bool)> {
        if self.available.read16(2) == self.seen {
            return None;
        }
        let place = usize::from(self.seen % self.depth);
        self.seen = self.seen.wrapping_add(1);
        let index = self.available.read16(4 + 2 * place);
        let at = 16 * usize::from(index);
        let len = self.descriptors.read32(at + 8) as usize;
        let buffer = DeviceMemory::map(self.descriptors.read64(at), len).unwrap();
        Some((index, buffer, self.descriptors.read16(at + 12) == 2))
    }

    fn give(&mut self, index: u32, len: u32) {
        let place = 4 + 8 * usize::from(self.given % self.depth);
        self.used.write32(place, index);
        self.used.write32(place + 4, len);
        self.given = self.given.wrapping_add(1);
        self.used.write16(2, self.given);
    }
}

struct Device {
    receive: Side,
    send: Side,
}

impl Device {
    fn of(state: &NicState) -> Self {
        let receive = state.receive.lock();
        let send = state.send.lock();
        Device {
            receive: Side::new(receive.place(), receive.depth()),
            send: Side::new(send.ring.place(), send.ring.depth()),
        }
    }

    /// A frame arrives; false when there is no buffer for it.
    fn arrive(&mut self, frame: &[u8]) -> bool {
        let Some((index, buffer, writable)) = self.receive.next() else {
            return false;
        };
        assert!(writable && buffer.len() == BUFFER);
        for (i, byte) in frame.iter().enumerate() {
            buffer.write8(12 + i, *byte);
        }
        self.receive.give(u32::from(index), 12 + frame.len() as u32);
        true
    }

    /// Sends what is queued.
    fn depart(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let Some((index, buffer, writable)) = self.send.next() {
            assert!(!writable);
            assert!((0..12).all(|i| buffer.read8(i) == 0));
            frames.push((12..buffer.len()).map(|i| buffer.read8(i)).collect());
            self.send.give(u32::from(index), 0);
        }
        frames
    }
}

fn frame(n: usize) -> Vec<u8> {
    (0..60 + n % 1455).map(|i| (i * 7 + n) as u8).collect()
}

fn received(nic: &VirtioNic, limit: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let count = nic.receive(limit, &mut |f| frames.push(f.to_vec()));
    assert_eq!(count, frames.len());
    frames
}

fn transmit(nic: &VirtioNic, frame: &[u8]) -> Result<(), NicError> {
    nic.transmit(frame.len(), &mut |bytes| bytes.copy_from_slice(frame))
}

#[test]
fn a_device_is_started_as_the_specification_says() {
    let (board, state) = started();
    let nic = VirtioNic { state };
    assert_eq!(nic.info().mac, [0x52, 0x54, 0, 1, 2, 3]);
    assert_eq!(board.memory.read8(20), 1 | 2 | 8 | 4);
    // The message of the first vector, unmasked.
    assert_eq!(board.msix.read64(0), MESSAGE.0);
    assert_eq!(
        (board.msix.read32(8), board.msix.read32(12)),
        (MESSAGE.1, 0)
    );
    // Sent frames do not interrupt: the queue set up last has no vector.
    assert_eq!(board.memory.read16(26), 0xffff);
    assert!(nic.link());
    board.memory.write16(0x2006, 0);
    assert!(!nic.link());
    drop(nic);
    assert_eq!(board.memory.read8(20), 0, "left running");
}

#[test]
fn a_device_of_the_old_kind_is_refused() {
    let (board, device) = board(FEATURES & !1);
    let hardware = Arc::new(open::registers(device).unwrap());
    assert_eq!(
        open::start(hardware, MESSAGE).unwrap_err(),
        OpenError::Refused
    );
    assert_eq!(board.memory.read8(20), 0);
}

#[test]
fn frames_pass_both_ways_unchanged_past_the_wrap_of_the_indices() {
    let (_board, state) = started();
    let mut device = Device::of(&state);
    let nic = VirtioNic { state };
    let mut n = 0;
    while n < 70_000 {
        let batch = 1 + n % 50;
        for k in 0..batch {
            assert!(device.arrive(&frame(n + k)[..60]));
            transmit(&nic, &frame(n + k)[..60]).unwrap();
        }
        let expected: Vec<_> = (n..n + batch).map(|k| frame(k)[..60].to_vec()).collect();
        assert_eq!(received(&nic, 64), expected);
        assert_eq!(device.depart(), expected);
        n += batch;
    }
    for n in 0..1455 {
        assert!(device.arrive(&frame(n)));
        assert_eq!(received(&nic, 64), [frame(n)]);
    }
}

#[test]
fn a_full_ring_says_so_and_recovers() {
    let (board, state) = started();
    let mut device = Device::of(&state);
    let nic = VirtioNic { state };
    for n in 0..usize::from(DEPTH) {
        assert!(nic.room());
        transmit(&nic, &frame(n)).unwrap();
    }
    assert!(!nic.room());
    assert_eq!(transmit(&nic, &frame(1)), Err(NicError::Full));
    assert_eq!(transmit(&nic, &vec![0; 1515]), Err(NicError::TooLong));
    // One kick for all of them, at the place of the queue (index 3, step 4).
    nic.kick();
    assert_eq!(board.memory.read16(0x1000 + 12), 1);
    board.memory.write16(0x1000 + 12, 9);
    nic.kick();
    assert_eq!(board.memory.read16(0x1000 + 12), 9, "kicked for nothing");
    assert_eq!(device.depart().len(), usize::from(DEPTH));
    assert!(nic.room());
    // A device that is awake wants no kick.
    device.send.used.write16(0, 1);
    transmit(&nic, &frame(2)).unwrap();
    nic.kick();
    assert_eq!(board.memory.read16(0x1000 + 12), 9, "kicked though awake");
    assert_eq!(device.depart(), [frame(2)]);
}

#[test]
fn interrupts_are_on_exactly_when_all_is_taken() {
    let (_board, state) = started();
    let mut device = Device::of(&state);
    let nic = VirtioNic { state };
    for n in 0..10 {
        assert!(device.arrive(&frame(n)));
    }
    assert_eq!(received(&nic, 4).len(), 4);
    assert_eq!(device.receive.available.read16(0), 1);
    assert_eq!(received(&nic, 64).len(), 6);
    assert_eq!(device.receive.available.read16(0), 0);
}

#[test]
fn a_device_that_lies_is_not_believed() {
    let (_board, state) = started();
    let mut device = Device::of(&state);
    let nic = VirtioNic { state };
    let (index, _, _) = device.receive.next().unwrap();
    let index = u32::from(index);
    // Longer than the buffer, never had (twice), shorter than its own header.
    device.receive.give(index, 9_999_999);
    device.receive.give(70_000, 100);
    device.receive.give(u32::from(DEPTH), 100);
    let (other, _, _) = device.receive.next().unwrap();
    device.receive.give(u32::from(other), 5);
    let mut lengths = Vec::new();
    assert_eq!(nic.receive(64, &mut |f| lengths.push(f.len())), 2);
    assert_eq!(lengths, [BUFFER - 12]);
    // Ten are sent, one of them is given back twice: ten are free again.
    let all = usize::from(DEPTH);
    (0..10).for_each(|n| transmit(&nic, &frame(n)).unwrap());
    assert_eq!(device.depart().len(), 10);
    device.send.give(u32::from(DEPTH) - 5, 0);
    (10..all + 10).for_each(|n| transmit(&nic, &frame(n)).unwrap());
    assert_eq!(transmit(&nic, &frame(0)), Err(NicError::Full));
    assert_eq!(device.depart().len(), all);
}

#[test]
fn frames_in_the_rings_survive_a_replacement() {
    let (board, state) = started();
    let mut device = Device::of(&state);
    let old = VirtioNic { state };
    for n in 0..5 {
        assert!(device.arrive(&frame(n)));
        transmit(&old, &frame(n)).unwrap();
    }
    let handed_on = old.export().unwrap().unwrap();
    let new = VirtioNic {
        state: state::import(handed_on).unwrap(),
    };
    drop(old);
    assert_eq!(board.memory.read8(20), 15, "reset on the way");
    assert_eq!(received(&new, 64), (0..5).map(frame).collect::<Vec<_>>());
    assert_eq!(device.depart(), (0..5).map(frame).collect::<Vec<_>>());
}

#[test]
fn a_fault_in_the_callers_code_loses_no_buffer() {
    let (_board, state) = started();
    let mut device = Device::of(&state);
    let nic = VirtioNic { state };
    for n in 0..3 * usize::from(DEPTH) {
        assert!(device.arrive(&frame(n)), "buffers are lost");
        let fault = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            nic.receive(1, &mut |_| {
                std::panic::resume_unwind(std::boxed::Box::new(()))
            })
        }));
        assert!(fault.is_err());
        let fault = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            nic.transmit(60, &mut |_| {
                std::panic::resume_unwind(std::boxed::Box::new(()))
            })
        }));
        assert!(fault.is_err() && nic.room());
    }
}

#[test]
fn after_a_crash_the_device_is_started_anew() {
    let (board, state) = started();
    let hardware = Arc::clone(&state.hardware);
    transmit(
        &VirtioNic {
            state: Arc::clone(&state),
        },
        &frame(1),
    )
    .unwrap();
    let again = Arc::new(open::start(hardware, MESSAGE).unwrap());
    // The dead driver's rings go without stopping the device again.
    drop(state);
    assert_eq!(board.memory.read8(20), 15);
    let mut device = Device::of(&again);
    let nic = VirtioNic { state: again };
    assert!(device.arrive(&frame(2)));
    assert_eq!(received(&nic, 64), [frame(2)]);
    assert!(device.depart().is_empty());
}
