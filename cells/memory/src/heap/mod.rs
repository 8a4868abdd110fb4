//! The kernel heap: size classes, each with a cache of free objects per CPU, a
//! shared list behind them, and slabs of frames behind that.
//!
//! The usual path is a pop from or push onto the CPU's own list with preemption
//! off for a dozen instructions; no lock is shared and no flag of the CPU is
//! changed. An interrupt may come in between: its handlers use the shared lists
//! alone. A fault in the middle of a shared list's section is seen to without that list.
//! What is in use is not counted on the way but reckoned when asked for.
//! Objects above the largest class are whole frames. Slabs of which no object is in use
//! go back to their source now and then ([`Heap::reclaim`]). Design after Bonwick and
//! Adams, "Magazines and Vmem", 2001, with linked lists in place of magazines.

mod list;
mod reclaim;

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};
use cpu::{MAX_CPUS, PreemptGuard};
use list::FreeList;
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
        let len: &AtomicU32 = unsafe { &*FreeList::len_of(lists.add(class)) };
        len.load(Relaxed)
    }
}

/// What several CPUs share of a class.
struct Shared {
    free: FreeList,
    /// Objects that the slabs there are were cut into.
    cut: u64,
    /// Free objects that [`Heap::reclaim`] is looking at.
    aside: u32,
    /// Free objects that it left the last time.
    settled: u32,
    /// How often it passes over the class, from now and each time that it finds nothing.
    passes: u32,
    patience: u32,
}

impl Shared {
    const fn new() -> Self {
        Shared {
            free: FreeList::new(),
            cut: 0,
            aside: 0,
            settled: 0,
            passes: 0,
            patience: 0,
        }
    }
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

/// Frames of a slab: eight objects of the middle classes, two of the large ones, since
/// most systems hold few large objects.
const fn slab_pages(class: usize) -> usize {
    let size = SIZES[class];
    match size {
        0..=1024 => 4,
        1025..=4096 => size * 8 / crate::PAGE_SIZE,
        _ => size * 2 / crate::PAGE_SIZE,
    }
}

/// Objects of a slab.
const fn slab_objects(class: usize) -> usize {
    slab_pages(class) * crate::PAGE_SIZE / SIZES[class]
}

impl<S: FrameSource> Heap<S> {
    /// An empty heap.
    pub const fn new(source: S) -> Self {
        Heap {
            source,
            caches: [const { CpuCache::new() }; MAX_CPUS],
            shared: [const { IrqLock::new(Shared::new()) }; CLASSES],
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
        if list.len() > KEEP[class] {
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
        if let Some(mut shared) = self.shared[class].lock_unless_mine() {
            list.give(&mut shared.free, KEEP[class] / 2);
        }
    }

    /// Gives all of this CPU's list of a class back.
    fn give_own(&self, class: usize) {
        let _stay = PreemptGuard::new();
        #[cfg(not(mitos))]
        let _test = self.test_lock.lock();
        // SAFETY: as in `allocate`.
        let list = unsafe { self.own_list(class) };
        list.give(&mut self.shared[class].lock().free, u32::MAX);
    }

    /// Fills an empty list, and takes an object of it.
    #[cold]
    #[inline(never)]
    fn refill(&self, list: &mut FreeList, class: usize) -> *mut u8 {
        if let Some(mut shared) = self.shared[class].lock_unless_mine() {
            shared.free.give(list, KEEP[class] / 2);
        }
        if list.is_empty() {
            self.cut(list, class);
        }
        list.pop().map_or(null_mut(), NonNull::as_ptr)
    }

    /// Cuts a new slab into objects.
    fn cut(&self, list: &mut FreeList, class: usize) {
        let (size, pages) = (SIZES[class], slab_pages(class));
        let Some(slab) = NonNull::new(self.source.allocate(pages)) else {
            return;
        };
        let count = slab_objects(class);
        for index in (0..count).rev() {
            // SAFETY: inside the new slab.
            unsafe { list.push(slab.as_ptr().add(index * size)) };
        }
        if let Some(mut shared) = self.shared[class].lock_unless_mine() {
            shared.cut += count as u64;
        }
    }

    /// Allocates in an interrupt handler: the interrupted task may be at work on
    /// the CPU's own list.
    #[cold]
    #[inline(never)]
    fn allocate_shared(&self, class: usize) -> *mut u8 {
        #[cfg(not(mitos))]
        let _test = self.test_lock.lock();
        let shared = self.shared[class].lock_unless_mine();
        let object = shared.and_then(|mut shared| shared.free.pop());
        if let Some(object) = object {
            return object.as_ptr();
        }
        let mut list = FreeList::new();
        self.cut(&mut list, class);
        let object = list.pop().map_or(null_mut(), NonNull::as_ptr);
        if let Some(mut shared) = self.shared[class].lock_unless_mine() {
            list.give(&mut shared.free, u32::MAX);
        }
        object
    }

    /// Frees in an interrupt handler.
    ///
    /// # Safety
    /// `object` is of this class, and unused.
    #[cold]
    #[inline(never)]
    unsafe fn free_shared(&self, object: *mut u8, class: usize) {
        if let Some(mut shared) = self.shared[class].lock_unless_mine() {
            // SAFETY: the caller's promise.
            unsafe { shared.free.push(object) };
        }
    }

    #[cold]
    #[inline(never)]
    fn allocate_large(&self, layout: Layout) -> *mut u8 {
        let pages = layout.size().div_ceil(crate::PAGE_SIZE);
        // Blocks of the buddy system lie on multiples of their size rounded up.
        let pages = pages.max(layout.align() / crate::PAGE_SIZE);
        let mut start = self.source.allocate_large(pages);
        // A handler must not touch the CPU's own lists.
        while start.is_null() && !cpu::in_interrupt() && self.reclaim_now() > 0 {
            start = self.source.allocate_large(pages);
        }
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
            let free = kept + u64::from(shared.free.len()) + u64::from(shared.aside);
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
                (start as u64).wrapping_sub(crate::WINDOW),
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

pub use list::damage;

/// See [`Heap::reclaim`].
#[cfg(mitos)]
pub fn reclaim() -> usize {
    HEAP.reclaim()
}

#[cfg(test)]
mod tests;
