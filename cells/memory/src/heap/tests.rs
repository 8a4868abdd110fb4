//! Tests of the heap as a whole.

use super::*;
use alloc::vec::Vec;
use core::sync::atomic::AtomicUsize;

/// Frames of the host's, counted.
pub(super) struct Host(AtomicUsize);

impl Host {
    pub(super) const fn new() -> Self {
        Host(AtomicUsize::new(0))
    }

    /// Frames that are out.
    pub(super) fn taken(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// As the buddy system places them.
    fn layout(count: usize) -> Layout {
        Layout::from_size_align(count * 4096, (count * 4096).next_power_of_two()).unwrap()
    }
}

impl FrameSource for Host {
    fn allocate(&self, count: usize) -> *mut u8 {
        self.0.fetch_add(count, Relaxed);
        // SAFETY: not zero-sized.
        unsafe { alloc::alloc::alloc(Host::layout(count)) }
    }
    unsafe fn free(&self, start: *mut u8, count: usize) {
        self.0.fetch_sub(count, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { alloc::alloc::dealloc(start, Host::layout(count)) }
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
    static HEAP: Heap<Host> = Heap::new(Host::new());
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
    static HEAP: Heap<Host> = Heap::new(Host::new());
    let threads: Vec<_> = (0..4u64)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut held: Vec<(usize, Layout)> = Vec::new();
                let mut seed = thread + 1;
                for round in 0..20_000u32 {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let r = (seed >> 33) as usize;
                    if round % 2 == 0 || held.is_empty() {
                        let layout = Layout::from_size_align(1 + r % 5000, 1 << (r % 10)).unwrap();
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
                    unsafe { HEAP.free(core::ptr::with_exposed_provenance_mut(object), layout) };
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(HEAP.in_use(), 0);
}
