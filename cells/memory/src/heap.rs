//! The kernel heap: size classes, each with a cache of free objects per CPU, a
//! shared list behind them, and slabs of frames behind that.
//!
//! The usual path is a pop from or push onto the CPU's own list with preemption
//! off for a dozen instructions; no lock is shared and no flag of the CPU is
//! changed. An interrupt may come in between: its handlers use the shared lists
//! alone. What is in use is not counted on the way but reckoned when asked for.
//! Objects above the largest class are whole frames. Design after Bonwick and
//! Adams, "Magazines and Vmem", 2001, with linked lists in place of magazines.

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};
use cpu::{MAX_CPUS, PreemptGuard};
use sync::IrqLock;

/// Object sizes. Above 64 bytes there are two per doubling.
const SIZES: [usize; CLASSES] = [
    16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192,
    12288, 16384, 24576, 32768,
];
const CLASSES: usize = 22;
const LARGEST: usize = SIZES[CLASSES - 1];
/// Up to this size the class is looked up.
const SMALL: usize = 1024;
/// The class of a small size, by the number of 16 bytes it takes.
static SMALL_CLASS: [u8; SMALL / 16 + 1] = small_classes();

const fn small_classes() -> [u8; SMALL / 16 + 1] {
    let mut classes = [0; SMALL / 16 + 1];
    let (mut at, mut class) = (0, 0);
    while at < classes.len() {
        if at * 16 > SIZES[class] {
            class += 1;
        }
        classes[at] = class as u8;
        at += 1;
    }
    classes
}

/// Where slabs and large objects come from.
pub trait FrameSource: Sync {
    /// `count` contiguous frames, or null.
    fn allocate(&self, count: usize) -> *mut u8;
    /// The same for an object that is large: null, too, when what would be left is
    /// the reserve for small ones.
    fn allocate_large(&self, count: usize) -> *mut u8 {
        self.allocate(count)
    }
    /// Takes them back.
    ///
    /// # Safety
    /// From `allocate`, and unused.
    unsafe fn free(&self, start: *mut u8, count: usize);
}

/// A list of free objects, linked through their first words. One task or handler
/// at a time works on it; anybody may read its length.
struct FreeList {
    head: *mut *mut u8,
    len: AtomicU32,
}

impl FreeList {
    const fn new() -> Self {
        FreeList {
            head: null_mut(),
            len: AtomicU32::new(0),
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<NonNull<u8>> {
        let head = NonNull::new(self.head)?;
        // SAFETY: objects on the list are free, at least 16 bytes large, and
        // their first word is the link.
        self.head = unsafe { head.read() }.cast();
        *self.len.get_mut() -= 1;
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
        *self.len.get_mut() += 1;
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

/// One CPU's lists; a power of two large, so that finding them is a shift.
#[repr(align(512))]
struct CpuCache {
    lists: UnsafeCell<[FreeList; CLASSES]>,
}

impl CpuCache {
    const fn new() -> Self {
        CpuCache {
            lists: UnsafeCell::new([const { FreeList::new() }; CLASSES]),
        }
    }

    /// How many free objects of a class there are; not exact while the CPU works.
    fn len(&self, class: usize) -> u32 {
        let lists: *const FreeList = self.lists.get().cast();
        debug_assert!(class < CLASSES);
        // SAFETY: a class's list lies there. Only its length is looked at, which is an
        // atomic; no reference is made to the rest.
        let len: &AtomicU32 = unsafe { &(*lists.add(class)).len };
        len.load(Relaxed)
    }
}

/// What several CPUs share of a class.
struct Shared {
    free: FreeList,
    /// Objects that slabs were cut into, ever.
    cut: u64,
}

/// The heap over a source of frames.
pub struct Heap<S: FrameSource> {
    source: S,
    caches: [CpuCache; MAX_CPUS],
    shared: [IrqLock<Shared>; CLASSES],
    /// Bytes of objects that are whole frames.
    large: AtomicI64,
    /// On the host threads share CPU numbers, so tests need a lock.
    #[cfg(not(mitos))]
    test_lock: sync::SpinLock<()>,
}

// SAFETY: each cache is touched only by its CPU, by tasks with preemption off and
// never by interrupt handlers (on the host under `test_lock`), but for the lengths,
// which are atomic; the shared lists have locks.
unsafe impl<S: FrameSource> Sync for Heap<S> {}
// SAFETY: raw pointers in the lists point to memory the heap owns.
unsafe impl Send for FreeList {}

/// The class for a layout, if it is not too large.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    let (size, align) = (layout.size(), layout.align());
    if size <= SMALL && align <= 16 {
        return Some(usize::from(SMALL_CLASS[size.div_ceil(16)]));
    }
    class_of_uncommon(layout)
}

/// The same for layouts with a large size or alignment.
fn class_of_uncommon(layout: Layout) -> Option<usize> {
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
    (class < CLASSES).then_some(class)
}

/// How many objects of each class a CPU keeps before it gives half of them back:
/// 64 KiB worth, within 4 to 256.
const KEEP: [u32; CLASSES] = {
    let mut keep = [4; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        let worth = 65536 / SIZES[class];
        if worth > 256 {
            keep[class] = 256;
        } else if worth > 4 {
            keep[class] = worth as u32;
        }
        class += 1;
    }
    keep
};

impl<S: FrameSource> Heap<S> {
    /// An empty heap.
    pub const fn new(source: S) -> Self {
        Heap {
            source,
            caches: [const { CpuCache::new() }; MAX_CPUS],
            shared: [const {
                IrqLock::new(Shared {
                    free: FreeList::new(),
                    cut: 0,
                })
            }; CLASSES],
            large: AtomicI64::new(0),
            #[cfg(not(mitos))]
            test_lock: sync::SpinLock::new(()),
        }
    }

    /// Allocates; null when memory is out.
    #[inline]
    pub fn allocate(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else {
            return self.allocate_large(layout);
        };
        if cpu::in_interrupt() {
            return self.allocate_shared(class);
        }
        let _stay = PreemptGuard::new();
        #[cfg(not(mitos))]
        let _test = self.test_lock.lock();
        // SAFETY: this CPU's cache, in a task, preemption off: nobody else is in
        // it.
        let list = unsafe { self.own_list(class) };
        match list.pop() {
            Some(object) => object.as_ptr(),
            None => self.refill(list, class),
        }
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
        if cpu::in_interrupt() {
            // SAFETY: the caller's promise.
            return unsafe { self.free_shared(object, class) };
        }
        let _stay = PreemptGuard::new();
        #[cfg(not(mitos))]
        let _test = self.test_lock.lock();
        // SAFETY: as in `allocate`.
        let list = unsafe { self.own_list(class) };
        // SAFETY: the caller's promise; classes have at least 16 bytes.
        unsafe { list.push(object) };
        if *list.len.get_mut() > KEEP[class] {
            self.overflow(list, class);
        }
    }

    /// This CPU's list of a class.
    ///
    /// # Safety
    /// In a task, with preemption off; one such reference at a time.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    unsafe fn own_list(&self, class: usize) -> &mut FreeList {
        let cache = &self.caches[cpu::id() % MAX_CPUS];
        // SAFETY: the caller's promise.
        unsafe { &mut (*cache.lists.get())[class] }
    }

    /// Whether both layouts have the same class, so that an object can grow or
    /// shrink in place.
    pub fn same_class(old: Layout, new: Layout) -> bool {
        class_of(old).is_some() && class_of(old) == class_of(new)
    }

    /// Gives half of a list that has become too long back.
    #[cold]
    #[inline(never)]
    fn overflow(&self, list: &mut FreeList, class: usize) {
        list.give(&mut self.shared[class].lock().free, KEEP[class] / 2);
    }

    /// Fills an empty list, and takes an object of it.
    #[cold]
    #[inline(never)]
    fn refill(&self, list: &mut FreeList, class: usize) -> *mut u8 {
        self.shared[class].lock().free.give(list, KEEP[class] / 2);
        if list.head.is_null() {
            self.cut(list, class);
        }
        list.pop().map_or(null_mut(), NonNull::as_ptr)
    }

    /// Cuts a new slab into objects.
    fn cut(&self, list: &mut FreeList, class: usize) {
        let size = SIZES[class];
        // Eight objects of the middle classes, two of the large ones: a slab never
        // goes back, and most systems hold few large objects.
        let pages = match size {
            0..=1024 => 4,
            1025..=4096 => size * 8 / crate::PAGE_SIZE,
            _ => size * 2 / crate::PAGE_SIZE,
        };
        let Some(slab) = NonNull::new(self.source.allocate(pages)) else {
            return;
        };
        let count = pages * crate::PAGE_SIZE / size;
        for index in (0..count).rev() {
            // SAFETY: inside the new slab.
            unsafe { list.push(slab.as_ptr().add(index * size)) };
        }
        self.shared[class].lock().cut += count as u64;
    }

    /// Allocates in an interrupt handler: the interrupted task may be at work on
    /// the CPU's own list.
    #[cold]
    #[inline(never)]
    fn allocate_shared(&self, class: usize) -> *mut u8 {
        #[cfg(not(mitos))]
        let _test = self.test_lock.lock();
        let object = self.shared[class].lock().free.pop();
        if let Some(object) = object {
            return object.as_ptr();
        }
        let mut list = FreeList::new();
        self.cut(&mut list, class);
        let object = list.pop().map_or(null_mut(), NonNull::as_ptr);
        list.give(&mut self.shared[class].lock().free, u32::MAX);
        object
    }

    /// Frees in an interrupt handler.
    ///
    /// # Safety
    /// `object` is of this class, and unused.
    #[cold]
    #[inline(never)]
    unsafe fn free_shared(&self, object: *mut u8, class: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.shared[class].lock().free.push(object) };
    }

    #[cold]
    #[inline(never)]
    fn allocate_large(&self, layout: Layout) -> *mut u8 {
        let pages = layout.size().div_ceil(crate::PAGE_SIZE);
        // Blocks of the buddy system lie on multiples of their size rounded up.
        let pages = pages.max(layout.align() / crate::PAGE_SIZE);
        let start = self.source.allocate_large(pages);
        if !start.is_null() {
            self.large
                .fetch_add((pages * crate::PAGE_SIZE) as i64, Relaxed);
        }
        start
    }

    /// # Safety
    /// As [`Heap::free`].
    #[cold]
    #[inline(never)]
    unsafe fn free_large(&self, object: *mut u8, layout: Layout) {
        let pages = layout
            .size()
            .div_ceil(crate::PAGE_SIZE)
            .max(layout.align() / crate::PAGE_SIZE);
        self.large
            .fetch_sub((pages * crate::PAGE_SIZE) as i64, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.source.free(object, pages) };
    }

    /// Bytes of objects in use, by class size. Not exact while objects move
    /// between the lists.
    pub fn in_use(&self) -> u64 {
        let of_class = |class: usize| {
            let shared = self.shared[class].lock();
            let kept: u64 = self.caches.iter().map(|c| u64::from(c.len(class))).sum();
            let free = kept + u64::from(shared.free.len.load(Relaxed));
            shared.cut.saturating_sub(free) * SIZES[class] as u64
        };
        let small: u64 = (0..CLASSES).map(of_class).sum();
        small + u64::try_from(self.large.load(Relaxed)).unwrap_or(0)
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

    fn allocate_large(&self, count: usize) -> *mut u8 {
        match crate::frames::is_short_of(count) {
            true => null_mut(),
            false => self.allocate(count),
        }
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
    fn handlers_use_the_shared_lists() {
        static HEAP: Heap<Host> = Heap::new(Host);
        let layout = Layout::from_size_align(100, 8).unwrap();
        let class = class_of(layout).unwrap();
        // A task's first object leaves the rest of its slab in the CPU's list,
        // where no handler looks.
        let own = HEAP.allocate(layout);
        let other = HEAP.allocate_shared(class);
        assert!(!own.is_null() && !other.is_null() && own != other);
        assert_eq!(HEAP.in_use(), 2 * SIZES[class] as u64);
        // What a handler freed, a handler gets.
        // SAFETY: allocated above with this class.
        unsafe { HEAP.free_shared(other, class) };
        assert_eq!(HEAP.allocate_shared(class), other);
        // SAFETY: as above.
        unsafe {
            HEAP.free_shared(own, class);
            HEAP.free(other, layout);
        }
        assert_eq!(HEAP.in_use(), 0);
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
