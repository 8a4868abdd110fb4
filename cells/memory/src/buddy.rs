//! The allocator of physical frames: a binary buddy system (Knowlton 1965) over
//! all of physical memory.
//!
//! One byte of state per frame tells whether a free block starts there and of
//! which order. Free blocks are linked through their own first bytes, reached
//! through a *window* that maps physical memory at a fixed offset, so the
//! allocator needs no memory beside the state bytes.

use crate::PAGE_SIZE;

/// Blocks have 2^0 to 2^MAX_ORDER frames: up to 1 GiB.
pub const MAX_ORDER: usize = 18;

/// State byte: not the start of a free block.
const USED: u8 = 0xff;

const NONE: u64 = u64::MAX;

/// Links of a free block, in its own first bytes.
#[repr(C)]
struct Links {
    next: u64,
    prev: u64,
}

/// The frames of physical memory. Frame numbers are physical addresses divided
/// by [`PAGE_SIZE`].
pub struct Buddy {
    states: *mut u8,
    frames: u64,
    window: *mut u8,
    heads: [u64; MAX_ORDER + 1],
    free: u64,
}

// SAFETY: the allocator owns the state bytes and the free blocks it points to.
unsafe impl Send for Buddy {}

impl Buddy {
    /// An allocator of nothing, over frames below `frames`.
    ///
    /// # Safety
    /// `states` points to `frames` bytes that nobody else uses; `window` maps
    /// every frame that [`Buddy::add`] will be told of.
    pub unsafe fn new(states: *mut u8, frames: u64, window: *mut u8) -> Self {
        // SAFETY: the caller's promise.
        unsafe { states.write_bytes(USED, frames as usize) };
        Buddy {
            states,
            frames,
            window,
            heads: [NONE; MAX_ORDER + 1],
            free: 0,
        }
    }

    /// Gives frames `first..end` to the allocator.
    ///
    /// # Safety
    /// Nobody else uses them, and they lie below the limit.
    pub unsafe fn add(&mut self, first: u64, end: u64) {
        let mut at = first;
        while at < end {
            let mut order = MAX_ORDER.min(at.trailing_zeros() as usize);
            while at + (1 << order) > end {
                order -= 1;
            }
            // SAFETY: the caller's promise.
            unsafe { self.free(at, order) };
            at += 1 << order;
        }
    }

    /// Free frames.
    pub fn free_frames(&self) -> u64 {
        self.free
    }

    fn state(&self, frame: u64) -> u8 {
        debug_assert!(frame < self.frames);
        // SAFETY: inside the state bytes.
        unsafe { self.states.add(frame as usize).read() }
    }

    fn set_state(&mut self, frame: u64, state: u8) {
        debug_assert!(frame < self.frames);
        // SAFETY: inside the state bytes.
        unsafe { self.states.add(frame as usize).write(state) }
    }

    fn links(&mut self, frame: u64) -> &mut Links {
        // SAFETY: `frame` starts a free block, which belongs to the allocator
        // and is mapped by the window.
        unsafe { &mut *self.window.add(frame as usize * PAGE_SIZE).cast::<Links>() }
    }

    fn push(&mut self, frame: u64, order: usize) {
        let next = self.heads[order];
        *self.links(frame) = Links { next, prev: NONE };
        if next != NONE {
            self.links(next).prev = frame;
        }
        self.heads[order] = frame;
        self.set_state(frame, order as u8);
    }

    fn unlink(&mut self, frame: u64, order: usize) {
        let Links { next, prev } = *self.links(frame);
        if prev == NONE {
            self.heads[order] = next;
        } else {
            self.links(prev).next = next;
        }
        if next != NONE {
            self.links(next).prev = prev;
        }
        self.set_state(frame, USED);
    }

    /// Takes a block of 2^order frames and gives its first frame's number.
    pub fn allocate(&mut self, order: usize) -> Option<u64> {
        let found = (order..=MAX_ORDER).find(|o| self.heads[*o] != NONE)?;
        let frame = self.heads[found];
        self.unlink(frame, found);
        // Give the upper halves back.
        for half in (order..found).rev() {
            self.push(frame + (1 << half), half);
        }
        self.free -= 1 << order;
        Some(frame)
    }

    /// Takes `count` contiguous frames: a block of the next power of two, less
    /// its tail.
    pub fn allocate_exact(&mut self, count: u64) -> Option<u64> {
        let order = count.checked_next_power_of_two()?.trailing_zeros() as usize;
        if order > MAX_ORDER {
            return None;
        }
        let frame = self.allocate(order)?;
        // SAFETY: the tail is ours and nobody knows of it.
        unsafe { self.add(frame + count, frame + (1 << order)) };
        Some(frame)
    }

    /// Gives a block back and merges it with its free neighbours.
    ///
    /// # Safety
    /// The block is allocated and nobody uses it any more. It may be a part of a
    /// larger one that was allocated.
    pub unsafe fn free(&mut self, mut frame: u64, mut order: usize) {
        self.free += 1 << order;
        while order < MAX_ORDER {
            let buddy = frame ^ (1 << order);
            if buddy + (1 << order) > self.frames || self.state(buddy) != order as u8 {
                break;
            }
            self.unlink(buddy, order);
            frame = frame.min(buddy);
            order += 1;
        }
        self.push(frame, order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    struct Machine {
        buddy: Buddy,
        _memory: Vec<u64>,
        _states: Vec<u8>,
    }

    fn machine(frames: usize) -> Machine {
        let mut memory = vec![0u64; frames * PAGE_SIZE / 8];
        let mut states = vec![0u8; frames];
        // SAFETY: both vectors live as long as the allocator and are not used otherwise.
        let mut buddy = unsafe {
            Buddy::new(
                states.as_mut_ptr(),
                frames as u64,
                memory.as_mut_ptr().cast(),
            )
        };
        // SAFETY: as above.
        unsafe { buddy.add(1, frames as u64) };
        Machine {
            buddy,
            _memory: memory,
            _states: states,
        }
    }

    #[test]
    fn blocks_never_overlap_and_all_come_back() {
        let mut m = machine(1000);
        let mut held: Vec<(u64, u64)> = Vec::new();
        let mut seed = 12345u64;
        for round in 0..20_000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let pick = (seed >> 33) as usize;
            if round % 3 != 0 || held.is_empty() {
                let count = 1 + (pick as u64 % 13);
                if let Some(first) = m.buddy.allocate_exact(count) {
                    assert!(
                        held.iter()
                            .all(|(f, c)| first + count <= *f || f + c <= first),
                        "overlap at {first}"
                    );
                    held.push((first, count));
                }
            } else {
                let (first, count) = held.swap_remove(pick % held.len());
                // SAFETY: taken from the held list.
                unsafe { m.buddy.add(first, first + count) };
            }
        }
        for (first, count) in held {
            // SAFETY: as above.
            unsafe { m.buddy.add(first, first + count) };
        }
        assert_eq!(m.buddy.free_frames(), 999);
        // Merged again as far as alignment allows: the largest block is there.
        assert!(m.buddy.allocate(8).is_some());
    }

    #[test]
    fn nothing_is_given_when_nothing_is_left() {
        let mut m = machine(16);
        let mut got = 0;
        while m.buddy.allocate(0).is_some() {
            got += 1;
        }
        assert_eq!(got, 15);
        assert_eq!(m.buddy.allocate_exact(3), None);
    }
}
