//! The kernel heap: size classes, each with a cache of free objects per CPU, a
//! shared list behind them, and slabs of frames behind that.
//!
//! The usual path is a pop from or push onto the CPU's own list with interrupts
//! off for a dozen instructions; no lock is shared. Objects above the largest
//! class are whole frames. Design after Bonwick and Adams, "Magazines and
//! Vmem", 2001, with linked lists in place of magazines.

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicI64, Ordering};
use cpu::{IrqGuard, MAX_CPUS};
use sync::IrqLock;

/// Object sizes. Above 64 bytes there are two per doubling.
const SIZES: [usize; 22] = [
    16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192,
    12288, 16384, 24576, 32768,
];
const LARGEST: usize = SIZES[SIZES.len() - 1];

/// Where slabs and large objects come from.
pub trait FrameSource: Sync {
    /// `count` contiguous frames, or null.
    fn allocate(&self, count: usize) -> *mut u8;
    /// Takes them back.
    ///
    /// # Safety
    /// From `allocate`, and unused.
    unsafe fn free(&self, start: *mut u8, count: usize);
}

/// A list of free objects, linked through their first words.
#[derive(Clone, Copy)]
struct FreeList {
    head: *mut *mut u8,
    len: u32,
}

impl FreeList {
    const EMPTY: FreeList = FreeList {
        head: null_mut(),
        len: 0,
    };

    #[inline]
    fn pop(&mut self) -> Option<NonNull<u8>> {
        let head = NonNull::new(self.head)?;
        // SAFETY: objects on the list are free, at least 16 bytes large, and
        // their first word is the link.
        self.head = unsafe { head.read() }.cast();
        self.len -= 1;
        Some(head.cast())
    }

    /// # Safety
    /// `object` is free and at least 16 bytes large.
    #[inline]
    unsafe fn push(&mut self, object: *mut u8) {
        let link = object.cast::<*mut u8>();
        // SAFETY: the caller's promise.
        unsafe { link.write(self.head.cast()) };
        self.head = link;
        self.len += 1;
    }

    /// Moves up to `count` objects to `other`.
    fn give(&mut self, other: &mut FreeList, count: u32) {
        for _ in 0..count {
            let Some(object) = self.pop() else { break };
            // SAFETY: it was on this list.
            unsafe { other.push(object.as_ptr()) };
        }
    }
}

#[repr(align(64))]
struct CpuCache {
    lists: UnsafeCell<[FreeList; SIZES.len()]>,
    in_use: AtomicI64,
}

impl CpuCache {
    const fn new() -> Self {
        CpuCache {
            lists: UnsafeCell::new([FreeList::EMPTY; SIZES.len()]),
            in_use: AtomicI64::new(0),
        }
    }
}

/// The heap over a source of frames.
pub struct Heap<S: FrameSource> {
    source: S,
    caches: [CpuCache; MAX_CPUS],
    shared: [IrqLock<FreeList>; SIZES.len()],
    /// On the host threads share CPU numbers, so tests need a lock.
    #[cfg(not(mitos))]
    test_lock: sync::SpinLock<()>,
}

// SAFETY: each cache is touched only by its CPU with interrupts off (on the host
// under `test_lock`); the shared lists have locks.
unsafe impl<S: FrameSource> Sync for Heap<S> {}
// SAFETY: raw pointers in the lists point to memory the heap owns.
unsafe impl Send for FreeList {}

/// The class for a layout, if it is not too large.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    let (size, align) = (layout.size().max(1), layout.align());
    if size > LARGEST || align > LARGEST {
        return None;
    }
    // Classes that are powers of two lie on their own multiples; the others
    // on multiples of 16.
    let size = if align > 16 {
        size.max(align).next_power_of_two()
    } else {
        size
    };
    if size <= 64 {
        return Some((size - 1) / 16);
    }
    // Two classes per doubling: 96, 128, 192, 256 ...
    let top = usize::BITS - 1 - (size - 1).leading_zeros();
    let half = usize::from((size - 1) & (1 << (top - 1)) != 0);
    let class = 4 + 2 * (top as usize - 6) + half;
    (class < SIZES.len()).then_some(class)
}

impl<S: FrameSource> Heap<S> {
    /// An empty heap.
    pub const fn new(source: S) -> Self {
        Heap {
            source,
            caches: [const { CpuCache::new() }; MAX_CPUS],
            shared: [const { IrqLock::new(FreeList::EMPTY) }; SIZES.len()],
            #[cfg(not(mitos))]
            test_lock: sync::SpinLock::new(()),
        }
    }

    /// How many objects of a class a CPU keeps before it gives half of them
    /// back: 64 KiB worth, within 4 to 256.
    fn keep(class: usize) -> u32 {
        (65536 / SIZES[class]).clamp(4, 256) as u32
    }

    /// Allocates; null when memory is out.
    #[inline]
    pub fn allocate(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else {
            return self.allocate_large(layout);
        };
        let _irq = IrqGuard::new();
        #[cfg(not(mitos))]
        let _test = self.test_lock.lock();
        let cache = &self.caches[cpu::id()];
        // SAFETY: this CPU's cache, interrupts off: nobody else is in it.
        let lists = unsafe { &mut *cache.lists.get() };
        let Some(object) = lists[class]
            .pop()
            .or_else(|| self.refill(&mut lists[class], class))
        else {
            return null_mut();
        };
        cache.in_use.store(
            cache.in_use.load(Ordering::Relaxed) + SIZES[class] as i64,
            Ordering::Relaxed,
        );
        object.as_ptr()
    }

    /// Frees.
    ///
    /// # Safety
    /// `object` is from [`Heap::allocate`] with this layout, and unused.
    #[inline]
    pub unsafe fn free(&self, object: *mut u8, layout: Layout) {
        let Some(class) = class_of(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { self.free_large(object, layout) };
        };
        let _irq = IrqGuard::new();
        #[cfg(not(mitos))]
        let _test = self.test_lock.lock();
        let cache = &self.caches[cpu::id()];
        // SAFETY: as in `allocate`.
        let list = unsafe { &mut (&mut *cache.lists.get())[class] };
        // SAFETY: the caller's promise; classes have at least 16 bytes.
        unsafe { list.push(object) };
        cache.in_use.store(
            cache.in_use.load(Ordering::Relaxed) - SIZES[class] as i64,
            Ordering::Relaxed,
        );
        if list.len > Self::keep(class) {
            list.give(&mut self.shared[class].lock(), Self::keep(class) / 2);
        }
    }

    /// Whether both layouts have the same class, so that an object can grow or
    /// shrink in place.
    pub fn same_class(old: Layout, new: Layout) -> bool {
        class_of(old).is_some() && class_of(old) == class_of(new)
    }

    #[cold]
    fn refill(&self, list: &mut FreeList, class: usize) -> Option<NonNull<u8>> {
        self.shared[class].lock().give(list, Self::keep(class) / 2);
        if list.head.is_null() {
            let size = SIZES[class];
            let pages = if size <= 1024 {
                4
            } else {
                (size * 8 / crate::PAGE_SIZE).next_power_of_two()
            };
            let slab = NonNull::new(self.source.allocate(pages))?;
            for index in (0..pages * crate::PAGE_SIZE / size).rev() {
                // SAFETY: inside the new slab.
                unsafe { list.push(slab.as_ptr().add(index * size)) };
            }
        }
        list.pop()
    }

    fn allocate_large(&self, layout: Layout) -> *mut u8 {
        let pages = layout.size().div_ceil(crate::PAGE_SIZE);
        // Blocks of the buddy system lie on multiples of their size rounded up.
        let pages = pages.max(layout.align() / crate::PAGE_SIZE);
        let start = self.source.allocate(pages);
        if !start.is_null() {
            self.caches[cpu::id()]
                .in_use
                .fetch_add((pages * crate::PAGE_SIZE) as i64, Ordering::Relaxed);
        }
        start
    }

    /// # Safety
    /// As [`Heap::free`].
    unsafe fn free_large(&self, object: *mut u8, layout: Layout) {
        let pages = layout
            .size()
            .div_ceil(crate::PAGE_SIZE)
            .max(layout.align() / crate::PAGE_SIZE);
        self.caches[cpu::id()]
            .in_use
            .fetch_sub((pages * crate::PAGE_SIZE) as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.source.free(object, pages) };
    }

    /// Bytes of objects in use, by class size.
    pub fn in_use(&self) -> u64 {
        let sum: i64 = self
            .caches
            .iter()
            .map(|c| c.in_use.load(Ordering::Relaxed))
            .sum();
        u64::try_from(sum).unwrap_or(0)
    }
}

/// The system's source: frames through the window.
#[cfg(mitos)]
pub struct Window;

#[cfg(mitos)]
impl FrameSource for Window {
    fn allocate(&self, count: usize) -> *mut u8 {
        crate::frames::allocate(count, crate::frames::Owner::Heap)
            .map_or(null_mut(), |physical| (crate::WINDOW + physical) as *mut u8)
    }

    unsafe fn free(&self, start: *mut u8, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            crate::frames::free(
                start as u64 - crate::WINDOW,
                count,
                crate::frames::Owner::Heap,
            )
        }
    }
}

/// The system's heap.
#[cfg(mitos)]
pub static HEAP: Heap<Window> = Heap::new(Window);

/// Bytes of heap objects in use.
#[must_use]
pub fn in_use() -> u64 {
    #[cfg(mitos)]
    return HEAP.in_use();
    #[cfg(not(mitos))]
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    struct Host;
    impl FrameSource for Host {
        fn allocate(&self, count: usize) -> *mut u8 {
            let layout =
                Layout::from_size_align(count * 4096, (count * 4096).next_power_of_two()).unwrap();
            // SAFETY: not zero-sized.
            unsafe { alloc::alloc::alloc(layout) }
        }
        unsafe fn free(&self, start: *mut u8, count: usize) {
            let layout =
                Layout::from_size_align(count * 4096, (count * 4096).next_power_of_two()).unwrap();
            // SAFETY: the caller's promise.
            unsafe { alloc::alloc::dealloc(start, layout) }
        }
    }

    #[test]
    fn every_layout_gets_the_smallest_class_that_holds_it() {
        for size in 1..=LARGEST {
            let class = class_of(Layout::from_size_align(size, 8).unwrap()).unwrap();
            assert!(SIZES[class] >= size, "{size} in {}", SIZES[class]);
            assert!(
                class == 0 || SIZES[class - 1] < size,
                "{size} wastes class {}",
                SIZES[class]
            );
        }
        assert_eq!(
            class_of(Layout::from_size_align(LARGEST + 1, 8).unwrap()),
            None
        );
    }

    #[test]
    fn objects_are_aligned_apart_and_reused() {
        static HEAP: Heap<Host> = Heap::new(Host);
        let threads: Vec<_> = (0..4u64)
            .map(|thread| {
                std::thread::spawn(move || {
                    let mut held: Vec<(usize, Layout)> = Vec::new();
                    let mut seed = thread + 1;
                    for round in 0..20_000u32 {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let r = (seed >> 33) as usize;
                        if round % 2 == 0 || held.is_empty() {
                            let layout =
                                Layout::from_size_align(1 + r % 5000, 1 << (r % 10)).unwrap();
                            let object = HEAP.allocate(layout);
                            assert!(object.addr().is_multiple_of(layout.align()));
                            // SAFETY: just allocated with this size.
                            unsafe { object.write_bytes(thread as u8, layout.size()) };
                            held.push((object.expose_provenance(), layout));
                        } else {
                            let (object, layout) = held.swap_remove(r % held.len());
                            let object: *mut u8 = core::ptr::with_exposed_provenance_mut(object);
                            // SAFETY: allocated above with this layout.
                            unsafe {
                                let bytes = core::slice::from_raw_parts(object, layout.size());
                                assert!(bytes.iter().all(|b| *b == thread as u8));
                                HEAP.free(object, layout);
                            }
                        }
                    }
                    for (object, layout) in held {
                        // SAFETY: as above.
                        unsafe {
                            HEAP.free(core::ptr::with_exposed_provenance_mut(object), layout)
                        };
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(HEAP.in_use(), 0);
    }
}
