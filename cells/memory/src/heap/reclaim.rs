//! Giving slabs back of which no object is in use.

use super::list::FreeList;
use super::{CLASSES, FrameSource, Heap, SIZES, slab_objects, slab_pages};
use core::ptr::NonNull;

/// Looking is not worth while for fewer bytes of free objects.
const WORTH: usize = 64 * 1024;
/// A class of which nothing was found is passed over so many times at most.
const PATIENCE: u32 = 15;

/// What became of free objects.
struct Sorted {
    /// Those that are still there.
    kept: FreeList,
    /// The last one on the list.
    last: Option<NonNull<u8>>,
    /// Slabs that were given back.
    given: usize,
}

/// Where the slab of an object begins. Slabs lie on multiples of their size rounded up
/// to a power of two, which is how the buddy system gives them.
fn slab_of(object: NonNull<u8>, class: usize) -> usize {
    let size = slab_pages(class) * crate::PAGE_SIZE;
    object.as_ptr().addr() & !(size.next_power_of_two() - 1)
}

impl<S: FrameSource> Heap<S> {
    /// Gives half of the unused slabs back, and returns how many frames that are. For
    /// who comes by regularly, at rest or not: a class whose use goes up and down does
    /// not lose each slab just before it is wanted, and one of which nothing was found is
    /// passed over, [`PATIENCE`] times at most, unless much has become free since.
    ///
    /// Takes time that grows with the number of free objects, most of it without a lock
    /// and with preemption on. Free objects that it looks at are not there for others.
    pub fn reclaim(&self) -> usize {
        let look = |class: &usize| {
            let mut shared = self.shared[*class].lock();
            let fresh = shared.free.len().saturating_sub(shared.settled) as usize;
            let due = shared.passes == 0 || fresh * SIZES[*class] >= WORTH;
            shared.passes = shared.passes.saturating_sub(1);
            due
        };
        let due = (0..CLASSES).filter(look);
        due.map(|class| self.reclaim_class(class)).sum()
    }

    /// The same for who needs frames now: passes over nothing.
    pub(super) fn reclaim_now(&self) -> usize {
        (0..CLASSES).map(|class| self.reclaim_class(class)).sum()
    }

    fn reclaim_class(&self, class: usize) -> usize {
        if (self.shared[class].lock().free.len() as usize) * SIZES[class] < WORTH {
            return 0;
        }
        // One object in a CPU's list keeps a slab.
        self.give_own(class);
        let mut shared = self.shared[class].lock();
        // Another look may be under way.
        if shared.aside > 0 {
            return 0;
        }
        shared.aside = shared.free.len();
        let free = shared.free.take();
        drop(shared);
        let Sorted { kept, last, given } = self.sort_out(free, class);
        let mut shared = self.shared[class].lock();
        shared.aside = 0;
        shared.cut -= (given * slab_objects(class)) as u64;
        shared.settled = kept.len();
        shared.patience = match given {
            0 => (2 * shared.patience + 1).min(PATIENCE),
            _ => 0,
        };
        shared.passes = shared.patience;
        if let Some(last) = last {
            // SAFETY: it is the last one of these.
            unsafe { shared.free.prepend(kept, last) };
        }
        given * slab_pages(class)
    }

    /// Gives every second slab back of which all objects are free. What is kept is given
    /// out from the lowest slab on, so that the highest become unused.
    fn sort_out(&self, mut free: FreeList, class: usize) -> Sorted {
        free.sort();
        let mut sorted = Sorted {
            kept: FreeList::new(),
            last: None,
            given: 0,
        };
        let mut unused = 0;
        while let Some(first) = free.pop() {
            let slab = slab_of(first, class);
            let mut objects = FreeList::new();
            // SAFETY: it was on the list.
            unsafe { objects.push(first.as_ptr()) };
            while let Some(object) = free.pop() {
                // SAFETY: as above.
                unsafe {
                    if slab_of(object, class) != slab {
                        free.push(object.as_ptr());
                        break;
                    }
                    objects.push(object.as_ptr());
                }
            }
            if objects.len() as usize == slab_objects(class) {
                unused += 1;
                if unused % 2 == 1 {
                    sorted.given += 1;
                    let start = first.as_ptr().map_addr(|_| slab);
                    // SAFETY: all its objects are free, and on no list any more.
                    unsafe { self.source.free(start, slab_pages(class)) };
                    continue;
                }
            }
            while let Some(object) = objects.pop() {
                sorted.last = sorted.last.or(Some(object));
                // SAFETY: as above.
                unsafe { sorted.kept.push(object.as_ptr()) };
            }
        }
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Host;
    use super::super::{KEEP, LARGEST};
    use super::*;
    use alloc::vec::Vec;
    use core::alloc::Layout;
    use core::sync::atomic::{AtomicBool, Ordering};

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    fn all_of_it(heap: &Heap<Host>) {
        while heap.reclaim_now() > 0 {}
    }

    #[test]
    fn what_is_not_used_goes_back() {
        static HEAP: Heap<Host> = Heap::new(Host::new());
        for class in 0..CLASSES {
            let layout = layout(SIZES[class]);
            let before = HEAP.source.taken();
            let count = 16 * WORTH / SIZES[class];
            let mut held: Vec<usize> = (0..count)
                .map(|_| HEAP.allocate(layout).expose_provenance())
                .collect();
            let most = HEAP.source.taken() - before;
            assert!(most * crate::PAGE_SIZE >= count * SIZES[class]);
            all_of_it(&HEAP);
            assert_eq!(HEAP.source.taken() - before, most, "all of it is in use");
            // One object of each slab's worth stays, then none.
            let free = |object: &usize| {
                let object = core::ptr::with_exposed_provenance_mut(*object);
                // SAFETY: allocated above.
                unsafe { HEAP.free(object, layout) };
            };
            let (stay, go): (Vec<_>, Vec<_>) = held
                .drain(..)
                .enumerate()
                .partition(|(at, _)| at % slab_objects(class) == 0);
            go.iter().for_each(|(_, object)| free(object));
            all_of_it(&HEAP);
            assert_eq!(HEAP.in_use() as usize, stay.len() * SIZES[class]);
            assert!(HEAP.source.taken() - before >= stay.len() * slab_pages(class) / 2);
            stay.iter().for_each(|(_, object)| free(object));
            all_of_it(&HEAP);
            assert_eq!(HEAP.in_use(), 0);
            // The CPU's own list and less than is worth while.
            let rest = KEEP[class] as usize * SIZES[class] + WORTH;
            let slab = slab_pages(class) * crate::PAGE_SIZE;
            let left = (HEAP.source.taken() - before) * crate::PAGE_SIZE;
            assert!(
                left <= rest * slab / SIZES[class],
                "{left} of class {}",
                SIZES[class]
            );
            assert!(left < most * crate::PAGE_SIZE);
        }
    }

    #[test]
    fn nothing_is_left_to_who_comes_by_regularly() {
        static HEAP: Heap<Host> = Heap::new(Host::new());
        let layout = layout(100);
        let count = 64 * WORTH / 128;
        let mut held: Vec<usize> = (0..count)
            .map(|_| HEAP.allocate(layout).expose_provenance())
            .collect();
        let mut free = |count: usize| {
            for object in held.drain(..count) {
                let object = core::ptr::with_exposed_provenance_mut(object);
                // SAFETY: allocated above.
                unsafe { HEAP.free(object, layout) };
            }
        };
        // Half of it, so that nothing more is found.
        free(count / 2);
        while HEAP.reclaim() > 0 {}
        let half = HEAP.source.taken();
        let passes: usize = (0..3 * PATIENCE).map(|_| HEAP.reclaim()).sum();
        assert_eq!(passes, 0);
        free(count / 2);
        for _ in 0..3 * PATIENCE {
            HEAP.reclaim();
        }
        assert!(HEAP.source.taken() < half / 8, "{}", HEAP.source.taken());
    }

    #[test]
    fn a_list_is_sorted_whatever_its_length() {
        #[repr(align(16))]
        struct Object([usize; 2]);
        let mut words = [const { Object([0; 2]) }; 100];
        for count in 0..words.len() {
            let mut list = FreeList::new();
            for step in 0..count {
                // 101 is a prime: each word once, in no order.
                let at = (step + 1) * 37 % 101 - 1;
                // SAFETY: nobody else uses these.
                unsafe { list.push(words[at].0.as_mut_ptr().cast()) };
            }
            list.sort();
            assert_eq!(list.len() as usize, count);
            let sorted: Vec<_> = core::iter::from_fn(|| list.pop()).collect();
            assert!(sorted.is_sorted_by(|a, b| a > b) && sorted.len() == count);
        }
    }

    #[test]
    fn others_go_on_meanwhile() {
        static HEAP: Heap<Host> = Heap::new(Host::new());
        static DONE: AtomicBool = AtomicBool::new(false);
        let reclaims = std::thread::spawn(|| {
            let mut frames = 0;
            while !DONE.load(Ordering::Relaxed) {
                frames += HEAP.reclaim();
            }
            frames
        });
        let work = |mut seed: u64| {
            let mut held: Vec<(usize, Layout)> = Vec::new();
            for _ in 0..200 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let layout = layout(1 + (seed >> 33) as usize % LARGEST);
                for _ in 0..3 * WORTH / layout.size().max(64) {
                    let object = HEAP.allocate(layout);
                    // SAFETY: just allocated with this size.
                    unsafe { object.write_bytes(seed as u8, layout.size()) };
                    held.push((object.expose_provenance(), layout));
                }
                let mark = seed as u8;
                for (object, layout) in held.drain(..) {
                    let object: *mut u8 = core::ptr::with_exposed_provenance_mut(object);
                    // SAFETY: allocated above with this layout.
                    unsafe {
                        let bytes = core::slice::from_raw_parts(object, layout.size());
                        assert!(bytes.iter().all(|byte| *byte == mark));
                        HEAP.free(object, layout);
                    }
                }
            }
        };
        let threads: Vec<_> = (1..4)
            .map(|seed| std::thread::spawn(move || work(seed)))
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        DONE.store(true, Ordering::Relaxed);
        assert!(reclaims.join().unwrap() > 0);
        assert_eq!(HEAP.in_use(), 0);
    }
}
