//! The allocator of physical frames: a binary buddy system (Knowlton 1965) over
//! all of physical memory.
//!
//! One byte of state per frame tells whether it is used, inside of a free block, or a
//! free block's first, and of which order. Free blocks are linked through their own
//! first bytes, reached through a *window* that maps physical memory at a fixed
//! offset, so the allocator needs no memory beside the state bytes.
//!
//! Memory that is free has no owner to protect it: a stray write may change a link.
//! Links are therefore hints. They are followed only where they agree with the states
//! and with the links that lead back; a list that does not is made anew from the states.
//! Frames that are given back without being used are refused.

use crate::PAGE_SIZE;

/// Blocks have 2^0 to 2^MAX_ORDER frames: up to 1 GiB.
pub const MAX_ORDER: usize = 18;

/// State byte: in use, or never given to the allocator.
const USED: u8 = 0xff;
/// State byte: free, and not the first of its block.
const INSIDE: u8 = 0xfe;

const NONE: u64 = u64::MAX;

/// Links of a free block, in its own first bytes.
#[repr(C)]
#[derive(Clone, Copy)]
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
    damage: u64,
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
            damage: 0,
        }
    }

    /// Gives frames `first..end` to the allocator, which merges them with their free
    /// neighbours. Says whether it took them: not when some of them are free already
    /// or do not exist. They may be a part of what was allocated as one.
    ///
    /// # Safety
    /// Nobody uses them.
    pub unsafe fn add(&mut self, first: u64, end: u64) -> bool {
        let is_used = |frame| self.state(frame) == USED;
        if first > end || end > self.frames || !(first..end).all(is_used) {
            self.damage += 1;
            return false;
        }
        self.set_states(first, end, INSIDE);
        self.free += end - first;
        let mut at = first;
        while at < end {
            let mut order = MAX_ORDER.min(at.trailing_zeros() as usize);
            while at + (1 << order) > end {
                order -= 1;
            }
            self.merge(at, order);
            at += 1 << order;
        }
        true
    }

    /// Free frames.
    pub fn free_frames(&self) -> u64 {
        self.free
    }

    /// How often a list had to be made anew, or frames were refused.
    pub fn damage(&self) -> u64 {
        self.damage
    }

    fn state(&self, frame: u64) -> u8 {
        debug_assert!(frame < self.frames);
        // SAFETY: inside the state bytes.
        unsafe { self.states.add(frame as usize).read() }
    }

    fn set_states(&mut self, first: u64, end: u64, state: u8) {
        debug_assert!(first <= end && end <= self.frames);
        // SAFETY: inside the state bytes.
        unsafe {
            let start = self.states.add(first as usize);
            start.write_bytes(state, (end - first) as usize);
        }
    }

    /// Whether a free block of this order starts at `frame`.
    fn starts(&self, frame: u64, order: usize) -> bool {
        let size = 1 << order;
        frame < self.frames
            && frame.is_multiple_of(size)
            && frame + size <= self.frames
            && usize::from(self.state(frame)) == order
    }

    fn links(&mut self, frame: u64) -> &mut Links {
        // SAFETY: `frame` starts a free block, which belongs to the allocator
        // and is mapped by the window.
        unsafe { &mut *self.window.add(frame as usize * PAGE_SIZE).cast::<Links>() }
    }

    /// Puts a free block into its list.
    fn push(&mut self, frame: u64, order: usize) {
        let next = self.heads[order];
        *self.links(frame) = Links { next, prev: NONE };
        if next != NONE {
            self.links(next).prev = frame;
        }
        self.heads[order] = frame;
        self.set_states(frame, frame + 1, order as u8);
    }

    /// Takes a free block out of its list.
    fn unlink(&mut self, frame: u64, order: usize) {
        let links = *self.links(frame);
        let agrees = self.agrees(frame, links, order);
        self.set_states(frame, frame + 1, INSIDE);
        if !agrees {
            self.damage += 1;
            return self.collect(order);
        }
        let Links { next, prev } = links;
        match prev {
            NONE => self.heads[order] = next,
            prev => self.links(prev).next = next,
        }
        if next != NONE {
            self.links(next).prev = prev;
        }
    }

    /// Whether the links of a free block lead to others from which links lead back.
    fn agrees(&mut self, frame: u64, links: Links, order: usize) -> bool {
        let Links { next, prev } = links;
        let before = match prev {
            NONE => self.heads[order] == frame,
            prev => self.starts(prev, order) && self.links(prev).next == frame,
        };
        before && (next == NONE || self.starts(next, order) && self.links(next).prev == frame)
    }

    /// Makes the list of an order anew, from the states.
    #[cold]
    fn collect(&mut self, order: usize) {
        self.heads[order] = NONE;
        let mut frame = 0;
        while frame < self.frames {
            if self.starts(frame, order) {
                self.push(frame, order);
            }
            frame += 1 << order;
        }
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
        self.set_states(frame, frame + (1 << order), USED);
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

    /// Merges a free block, in no list yet, with its free neighbours.
    fn merge(&mut self, mut frame: u64, mut order: usize) {
        while order < MAX_ORDER {
            let buddy = frame ^ (1 << order);
            if !self.starts(buddy, order) {
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

    /// What nobody owns is overwritten all the time: blocks are still given to one
    /// owner each, and all of them come back.
    #[test]
    fn links_that_are_overwritten_lose_nothing() {
        let mut m = machine(1000);
        let mut held: Vec<(u64, u64)> = Vec::new();
        let mut seed = 99u64;
        let mut next = move || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        for _ in 0..20_000 {
            let garbage = [0, 1, u64::MAX - 1, next(), next() % 1000][next() as usize % 5];
            let at = (1 + next() % 999) as usize;
            if m.buddy.state(at as u64) != USED {
                // SAFETY: a free frame of the test's memory, which the allocator alone uses.
                unsafe {
                    let frame = m.buddy.window.add(at * PAGE_SIZE).cast::<u64>();
                    frame.add(next() as usize % 2).write(garbage);
                }
            }
            if next() % 3 != 0 || held.is_empty() {
                let count = 1 + next() % 13;
                if let Some(first) = m.buddy.allocate_exact(count) {
                    let apart = |(f, c): &(u64, u64)| first + count <= *f || f + c <= first;
                    assert!(held.iter().all(apart), "overlap at {first}");
                    held.push((first, count));
                }
            } else {
                let (first, count) = held.swap_remove(next() as usize % held.len());
                // SAFETY: taken from the held list.
                assert!(unsafe { m.buddy.add(first, first + count) });
            }
        }
        for (first, count) in held {
            // SAFETY: as above.
            assert!(unsafe { m.buddy.add(first, first + count) });
        }
        assert_eq!(m.buddy.free_frames(), 999);
        assert!(m.buddy.damage() > 100, "{}", m.buddy.damage());
    }

    #[test]
    fn what_is_not_in_use_is_not_taken_back() {
        let mut m = machine(64);
        let first = m.buddy.allocate_exact(3).unwrap();
        let free = m.buddy.free_frames();
        // SAFETY: refused, so nothing becomes of it.
        unsafe {
            assert!(!m.buddy.add(first, first + 5), "more than was taken");
            assert!(!m.buddy.add(63, 65), "beyond the end");
            assert!(!m.buddy.add(u64::MAX - 1, 3), "the wrong way round");
        }
        assert_eq!(m.buddy.free_frames(), free);
        // SAFETY: what was taken, once.
        assert!(unsafe { m.buddy.add(first, first + 3) });
        // SAFETY: refused.
        assert!(!unsafe { m.buddy.add(first, first + 3) }, "twice");
        assert_eq!(m.buddy.damage(), 4);
        assert_eq!(m.buddy.free_frames(), free + 3);
    }
}
