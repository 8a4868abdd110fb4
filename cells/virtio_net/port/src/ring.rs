//! A split virtqueue (virtio 1.1, section 2.6) whose descriptors are bound to
//! buffers for good: descriptor *i* is buffer *i*.
//!
//! ```text
//! rings     0            16 n         16 n + 6 + 2 n, up to 4
//!           | descriptors | available   | used
//! available flags u16, index u16, n x descriptor u16, (used event u16)
//! used      flags u16, index u16, n x { descriptor u32, length u32 }
//! buffers   n x 2048 bytes
//! ```
//!
//! A buffer is either lent to the device or held as a [`Slot`]; only who holds
//! the slot reaches its bytes. What the device writes is believed only after it
//! was checked.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{Ordering, fence};
use memory::{DmaRegion, OutOfMemory};

/// Bytes of a buffer.
pub const BUFFER: usize = 2048;
const DESCRIPTOR: usize = 16;
/// The device writes into the buffer.
const FLAG_WRITE: u16 = 2;
/// In either ring's flags: do not tell me.
const FLAG_QUIET: u16 = 1;

/// The right to a buffer that the device does not have.
#[derive(PartialEq, Eq, Debug)]
pub struct Slot {
    index: u16,
    /// Which ring's: the physical address of its buffers.
    ring: u64,
}

/// The buffers of a ring, reached by slot. Apart from the ring itself, so that
/// bytes are written and read without its lock.
#[derive(Clone, Debug)]
pub struct Buffers {
    region: Arc<DmaRegion>,
}

impl Buffers {
    /// The bytes of a slot; nothing for another ring's slot.
    #[must_use]
    pub fn bytes(&self, slot: &Slot) -> &[u8] {
        match self.start(slot) {
            // SAFETY: `start` lies in the region, which outlives the reference;
            // the device does not have the buffer while there is a slot for it,
            // and shared slots give shared references only.
            Some(start) => unsafe { core::slice::from_raw_parts(start, BUFFER) },
            None => &[],
        }
    }

    /// The bytes of a slot, to write.
    #[must_use]
    #[allow(clippy::mut_from_ref)]
    pub fn bytes_mut<'a>(&'a self, slot: &'a mut Slot) -> &'a mut [u8] {
        match self.start(slot) {
            // SAFETY: as in `bytes`; the one slot there is for this buffer is
            // borrowed exclusively for as long as the reference lives.
            Some(start) => unsafe { core::slice::from_raw_parts_mut(start, BUFFER) },
            None => &mut [],
        }
    }

    fn start(&self, slot: &Slot) -> Option<*mut u8> {
        let offset = usize::from(slot.index) * BUFFER;
        let ours = slot.ring == self.region.physical() && offset + BUFFER <= self.region.len();
        // SAFETY: the offset lies in the region.
        ours.then(|| unsafe { self.region.as_ptr().add(offset).as_ptr() })
    }
}

/// One direction of the interface.
#[derive(Debug)]
pub struct Ring {
    depth: u16,
    rings: Arc<DmaRegion>,
    buffers: Buffers,
    /// The available index as the device will see it next.
    offered: u16,
    /// The used index up to which we have looked.
    seen: u16,
    /// Which descriptors the device has.
    lent: Vec<bool>,
}

/// Where the three parts are, for the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Descriptors.
    pub descriptors: u64,
    /// Available ring.
    pub available: u64,
    /// Used ring.
    pub used: u64,
}

impl Ring {
    /// A ring of `depth` (a power of two) descriptors into which the device
    /// writes or from which it reads, with a slot for each buffer.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(depth: u16, device_writes: bool) -> Result<(Self, Vec<Slot>), OutOfMemory> {
        debug_assert!(depth.is_power_of_two());
        let rings = DmaRegion::allocate(used_at(depth) + 6 + 8 * usize::from(depth))?;
        let region = DmaRegion::allocate(usize::from(depth) * BUFFER)?;
        let ring = Ring {
            depth,
            rings,
            offered: 0,
            seen: 0,
            lent: vec![false; usize::from(depth)],
            buffers: Buffers { region },
        };
        let physical = ring.buffers.region.physical();
        for index in 0..depth {
            let at = usize::from(index) * DESCRIPTOR;
            let flags = if device_writes { FLAG_WRITE } else { 0 };
            ring.write(at, physical + (usize::from(index) * BUFFER) as u64);
            ring.write(at + 8, BUFFER as u32);
            ring.write(at + 12, flags);
        }
        let slot = |index| Slot {
            index,
            ring: physical,
        };
        Ok((ring, (0..depth).map(slot).collect()))
    }

    /// Where the device finds it.
    #[must_use]
    pub fn place(&self) -> Place {
        let start = self.rings.physical();
        Place {
            descriptors: start,
            available: start + available_at(self.depth) as u64,
            used: start + used_at(self.depth) as u64,
        }
    }

    /// How many descriptors there are.
    #[must_use]
    pub fn depth(&self) -> u16 {
        self.depth
    }

    /// The buffers.
    #[must_use]
    pub fn buffers(&self) -> Buffers {
        self.buffers.clone()
    }

    fn at<T>(&self, offset: usize) -> *mut T {
        debug_assert!(offset + size_of::<T>() <= self.rings.len());
        debug_assert!(offset.is_multiple_of(align_of::<T>()));
        // SAFETY: all offsets are computed from `depth`, and `new` made the
        // region large enough for them.
        unsafe { self.rings.as_ptr().add(offset).as_ptr().cast() }
    }

    fn write<T>(&self, offset: usize, value: T) {
        // SAFETY: `at` is valid and aligned; the device reads these words at
        // any time, so each is one volatile access.
        unsafe { self.at::<T>(offset).write_volatile(value) }
    }

    fn read<T: Copy>(&self, offset: usize) -> T {
        // SAFETY: as in `write`; `T` is a number.
        unsafe { self.at::<T>(offset).read_volatile() }
    }

    /// Lends a buffer to the device, of which `len` bytes count.
    pub fn offer(&mut self, slot: Slot, len: usize) {
        if slot.ring != self.buffers.region.physical() {
            debug_assert!(false, "a slot of another ring");
            return;
        }
        let (index, at) = (slot.index, available_at(self.depth));
        self.write(usize::from(index) * DESCRIPTOR + 8, len.min(BUFFER) as u32);
        let place = usize::from(self.offered & (self.depth - 1));
        self.write(at + 4 + 2 * place, index);
        if let Some(lent) = self.lent.get_mut(usize::from(index)) {
            *lent = true;
        }
        self.offered = self.offered.wrapping_add(1);
        // The device must see the entry before the index that covers it.
        fence(Ordering::Release);
        self.write(at + 2, self.offered);
    }

    /// Takes back a buffer the device is done with, and how many bytes it
    /// wrote.
    pub fn take(&mut self) -> Option<(Slot, usize)> {
        let at = used_at(self.depth);
        loop {
            if self.is_quiescent() {
                return None;
            }
            // The entry must be read after the index that covers it.
            fence(Ordering::Acquire);
            let place = at + 4 + 8 * usize::from(self.seen & (self.depth - 1));
            let (index, len): (u32, u32) = (self.read(place), self.read(place + 4));
            self.seen = self.seen.wrapping_add(1);
            let lent = self.lent.get_mut(index as usize);
            if lent.is_some_and(|l| core::mem::replace(l, false)) {
                let slot = Slot {
                    index: index as u16,
                    ring: self.buffers.region.physical(),
                };
                return Some((slot, (len as usize).min(BUFFER)));
            }
            // The device gave back what it does not have: not believed.
        }
    }

    /// Whether the device has given nothing back since the last look.
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        self.read::<u16>(used_at(self.depth) + 2) == self.seen
    }

    /// Asks the device to interrupt when it gives something back, or not to.
    pub fn set_interrupts(&self, wanted: bool) {
        let flags: u16 = if wanted { 0 } else { FLAG_QUIET };
        self.write(available_at(self.depth), flags);
        // Our next look must not be answered before the device can know.
        fence(Ordering::SeqCst);
    }

    /// Whether the device wants to be told of new offers.
    #[must_use]
    pub fn wants_kick(&self) -> bool {
        // Our offers must be visible before we look: it goes quiet, then looks.
        fence(Ordering::SeqCst);
        self.read::<u16>(used_at(self.depth)) & FLAG_QUIET == 0
    }
}

fn available_at(depth: u16) -> usize {
    usize::from(depth) * DESCRIPTOR
}

fn used_at(depth: u16) -> usize {
    (available_at(depth) + 6 + 2 * usize::from(depth)).next_multiple_of(4)
}
