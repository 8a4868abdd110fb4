//! Atomics that the model checker sees.
//!
//! The value itself is an ordinary atomic; each operation first acts on an atomic
//! of the checker, which is where the checker switches tasks and from which it
//! learns what happened before what. Made so because the checker's own atomics
//! cannot be made in a `const fn`.
//!
//! Every operation sees the latest value, as sequentially consistent operations
//! do, and the sources use no others where it matters; a relaxed load that reads
//! an old value is not modelled. Acquire and release are: a load only acquires,
//! a relaxed operation orders nothing.

use crate::tasks::slot;
use loom::sync::atomic::AtomicUsize as Slot;
pub use std::sync::atomic::Ordering;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

/// Orders nothing more: every operation here is as if sequentially consistent.
pub fn fence(_: Ordering) {}

/// Which of the execution's slots this atomic has; zero until its first use.
#[derive(Debug, Default)]
struct Place(std::sync::atomic::AtomicUsize);

impl Place {
    const fn new() -> Self {
        Place(std::sync::atomic::AtomicUsize::new(0))
    }

    fn touch(&self, order: Ordering) {
        slot(&self.0, |slot: &Slot| _ = slot.fetch_add(1, order));
    }

    fn load(&self, order: Ordering) {
        self.touch(if order == SeqCst { Acquire } else { order });
    }

    fn store(&self, order: Ordering) {
        self.touch(if order == SeqCst { Release } else { order });
    }

    fn change(&self, order: Ordering) {
        self.touch(if order == SeqCst { AcqRel } else { order });
    }
}

macro_rules! atomic {
    ($name:ident $(<$t:ident>)?, $inner:ty, $value:ty) => {
        #[doc = concat!("As `core::sync::atomic::", stringify!($name), "`.")]
        #[derive(Debug, Default)]
        pub struct $name$(<$t>)? {
            place: Place,
            value: $inner,
        }

        #[allow(dead_code)]
        impl$(<$t>)? $name$(<$t>)? {
            pub const fn new(value: $value) -> Self {
                Self { place: Place::new(), value: <$inner>::new(value) }
            }

            pub fn load(&self, order: Ordering) -> $value {
                self.place.load(order);
                self.value.load(Relaxed)
            }

            pub fn store(&self, value: $value, order: Ordering) {
                self.place.store(order);
                self.value.store(value, Relaxed);
            }

            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.place.change(order);
                self.value.swap(value, Relaxed)
            }

            pub fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                order: Ordering,
                _: Ordering,
            ) -> Result<$value, $value> {
                self.place.change(order);
                self.value.compare_exchange(old, new, Relaxed, Relaxed)
            }

            pub fn compare_exchange_weak(
                &self,
                old: $value,
                new: $value,
                order: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(old, new, order, failure)
            }

            pub fn fetch_update(
                &self,
                order: Ordering,
                _: Ordering,
                change: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.place.change(order);
                self.value.fetch_update(Relaxed, Relaxed, change)
            }
        }
    };
}

macro_rules! bits {
    ($name:ident, $value:ty, $($method:ident),*) => {
        #[allow(dead_code)]
        impl $name {
            $(pub fn $method(&self, operand: $value, order: Ordering) -> $value {
                self.place.change(order);
                self.value.$method(operand, Relaxed)
            })*
        }
    };
}

atomic!(AtomicBool, std::sync::atomic::AtomicBool, bool);
atomic!(AtomicU8, std::sync::atomic::AtomicU8, u8);
atomic!(AtomicU32, std::sync::atomic::AtomicU32, u32);
atomic!(AtomicU64, std::sync::atomic::AtomicU64, u64);
atomic!(AtomicUsize, std::sync::atomic::AtomicUsize, usize);
atomic!(AtomicPtr<T>, std::sync::atomic::AtomicPtr<T>, *mut T);
bits!(
    AtomicU32, u32, fetch_add, fetch_sub, fetch_or, fetch_and, fetch_xor
);
bits!(AtomicU64, u64, fetch_add, fetch_sub);
bits!(AtomicUsize, usize, fetch_add, fetch_sub);
