//! The log's memory.
//!
//! A window `start..end` onto an endless stream of bytes, kept in a ring whose
//! size is a power of two: the byte at stream position `p` lies at `p % size`.
//! Bytes are appended at the end, handed to the device, and released at the
//! start; they never change in between, so the device and the writer never meet.

use alloc::sync::Arc;
use memory::{DmaRegion, DmaSlice, OutOfMemory};

/// A ring of device-reachable bytes.
#[derive(Debug)]
pub struct Ring {
    region: Arc<DmaRegion>,
    size: u64,
    start: u64,
    end: u64,
}

impl Ring {
    /// A ring of `size` bytes, rounded up to a power of two of at least 8 KiB,
    /// empty at position 0.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(size: usize) -> Result<Self, OutOfMemory> {
        let size = size.max(8192).checked_next_power_of_two();
        let size = size.ok_or(OutOfMemory)?;
        let region = DmaRegion::allocate(size)?;
        let size = size as u64;
        Ok(Ring {
            region,
            size,
            start: 0,
            end: 0,
        })
    }

    /// Bytes it can keep.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The oldest position kept.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The position after the newest byte.
    #[inline]
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes can be appended now.
    #[inline]
    #[must_use]
    pub fn room(&self) -> u64 {
        self.size - (self.end - self.start)
    }

    /// Forgets everything and continues at `position`. Only while no slice of it
    /// is with a device.
    pub fn reset(&mut self, position: u64) {
        self.start = position;
        self.end = position;
    }

    /// Appends `bytes` if there is room.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() as u64 > self.room() {
            return false;
        }
        let at = (self.end & (self.size - 1)) as usize;
        let first = bytes.len().min(self.size as usize - at);
        let base = self.region.as_ptr().as_ptr();
        // SAFETY: both pieces lie inside the region: `at + first <= size`, and
        // the rest is shorter than `size`. They lie outside `start..end`, which
        // are the only bytes ever handed out, and `&mut self` keeps other
        // writers away.
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), base.add(at), first);
            if first < bytes.len() {
                let rest = bytes.len() - first;
                core::ptr::copy_nonoverlapping(bytes.as_ptr().add(first), base, rest);
            }
        }
        self.end += bytes.len() as u64;
        true
    }

    /// Appends zeros up to `position` (not before the end); false without room.
    pub fn pad_to(&mut self, position: u64) -> bool {
        while self.end < position {
            let step = (position - self.end).min(64) as usize;
            if !self.append(&[0; 64][..step]) {
                return false;
            }
        }
        true
    }

    /// The memory of `from..to`, one piece or two; none when it is not kept.
    #[must_use]
    pub fn slices(&self, from: u64, to: u64) -> Option<(DmaSlice, Option<DmaSlice>)> {
        if from < self.start || to > self.end || from >= to {
            return None;
        }
        let at = (from & (self.size - 1)) as usize;
        let len = (to - from) as usize;
        let first = len.min(self.size as usize - at);
        let head = DmaSlice::new(self.region.clone(), at, first)?;
        let tail = (len > first).then(|| DmaSlice::new(self.region.clone(), 0, len - first));
        match tail {
            Some(None) => None,
            tail => Some((head, tail.flatten())),
        }
    }

    /// Copies the bytes from position `from` on into `out`; false when they are
    /// not all kept.
    #[must_use]
    pub fn copy_out(&self, from: u64, out: &mut [u8]) -> bool {
        if from < self.start || from + out.len() as u64 > self.end {
            return false;
        }
        let at = (from & (self.size - 1)) as usize;
        let first = out.len().min(self.size as usize - at);
        let base = self.region.as_ptr().as_ptr();
        // SAFETY: both pieces lie inside the region and inside `start..end`,
        // which nobody writes.
        unsafe {
            core::ptr::copy_nonoverlapping(base.add(at), out.as_mut_ptr(), first);
            core::ptr::copy_nonoverlapping(base, out.as_mut_ptr().add(first), out.len() - first);
        }
        true
    }

    /// The bytes before `to` are not needed any more, and no device reads them.
    pub fn release(&mut self, to: u64) {
        self.start = to.clamp(self.start, self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_there_until_released_also_across_the_seam() {
        let mut ring = Ring::new(8192).unwrap();
        ring.reset(20_000);
        let bytes: Vec<u8> = (0..5000u32).map(|i| (i % 251) as u8).collect();
        for round in 0..9 {
            let from = ring.end();
            assert!(ring.append(&bytes), "round {round}");
            assert!(!ring.append(&bytes));
            let mut out = vec![0; 5000];
            assert!(ring.copy_out(from, &mut out));
            assert_eq!(out, bytes);
            let (head, tail) = ring.slices(from, from + 5000).unwrap();
            assert_eq!(head.len() + tail.map_or(0, |t| t.len()), 5000);
            ring.release(from + 5000);
            assert!(!ring.copy_out(from, &mut out));
        }
        assert!(ring.pad_to(ring.end() + 100));
        assert_eq!(ring.room(), ring.size() - 100);
    }
}
