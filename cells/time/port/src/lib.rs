//! The clock as others see it. It is read by the scheduler and in interrupt
//! handlers, so its door is a [`Leaf`].
//!
//! What was measured at boot lies here and outlives all generations of the cell.
//! While there is no provider, early at boot, the plain formula serves.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use port::{Component, Door, HandoverError, Leaf, Moves, NO_ANSWER, State};

/// The door of the clock.
pub static CLOCK: Leaf<dyn Clock> = Leaf::new("time");
/// The same, without its type.
pub static DOOR: &dyn Door = &CLOCK;

/// What was measured at boot goes to the later generation; both give the same time.
pub static MOVES: Moves = Moves {
    park: port::no_tasks,
    give: || Ok(Some(State::new(SCHEMA, Box::new(RATES.numbers())))),
    take: |given| {
        let Some(state) = given else {
            return Ok(());
        };
        let offered = state.schema();
        let numbers = state.take::<[u64; 4]>();
        match numbers {
            Ok(numbers) if offered == SCHEMA => RATES.set(*numbers),
            _ => return Err(HandoverError::Schema { offered }),
        }
        Ok(())
    },
    start: || Ok(()),
    anew: false,
};

/// The version of what [`MOVES`] gives.
const SCHEMA: u32 = 1;

/// What was measured at boot.
#[derive(Debug)]
pub struct Rates {
    /// Nanoseconds per tick of the time stamp counter, times 2^32.
    pub ns_per_tick: AtomicU64,
    /// Ticks of the APIC timer per nanosecond, times 2^32.
    pub timer_per_ns: AtomicU64,
    /// The counter at the boot image's first instruction.
    pub tsc_at_boot: AtomicU64,
    /// Wall clock at monotonic zero: microseconds since 1970.
    pub wall_at_boot: AtomicI64,
}

/// The rates of this machine.
pub static RATES: Rates = Rates {
    ns_per_tick: AtomicU64::new(1 << 32),
    timer_per_ns: AtomicU64::new(1 << 32),
    tsc_at_boot: AtomicU64::new(0),
    wall_at_boot: AtomicI64::new(0),
};

impl Rates {
    fn numbers(&self) -> [u64; 4] {
        [
            self.ns_per_tick.load(Ordering::SeqCst),
            self.timer_per_ns.load(Ordering::SeqCst),
            self.tsc_at_boot.load(Ordering::SeqCst),
            self.wall_at_boot.load(Ordering::SeqCst).cast_unsigned(),
        ]
    }

    fn set(&self, numbers: [u64; 4]) {
        self.ns_per_tick.store(numbers[0], Ordering::SeqCst);
        self.timer_per_ns.store(numbers[1], Ordering::SeqCst);
        self.tsc_at_boot.store(numbers[2], Ordering::SeqCst);
        self.wall_at_boot
            .store(numbers[3].cast_signed(), Ordering::SeqCst);
    }

    /// Nanoseconds since boot at this count.
    #[must_use]
    pub fn at(&self, tsc: u64) -> u64 {
        let ticks = tsc.saturating_sub(self.tsc_at_boot.load(Ordering::Relaxed));
        let rate = self.ns_per_tick.load(Ordering::Relaxed);
        ((u128::from(ticks) * u128::from(rate)) >> 32) as u64
    }
}

/// The clock. Called with interrupts off; no answer is all ones ([`NO_ANSWER`]).
pub trait Clock: Component {
    /// Nanoseconds since boot at this count of the time stamp counter.
    fn at(&self, rates: &Rates, tsc: u64) -> u64;
    /// Microseconds since 1970 at that many nanoseconds since boot.
    fn wall(&self, rates: &Rates, now: u64) -> i64;
    /// Ticks of the APIC timer in `ns`, one at least.
    fn ticks(&self, rates: &Rates, ns: u64) -> u32;
}

/// Nanoseconds since the boot image's first instruction.
#[must_use]
pub fn now() -> u64 {
    let tsc = cpu::tsc();
    let told = CLOCK.with(|clock| match clock {
        Some(clock) => clock.at(&RATES, tsc),
        None => NO_ANSWER,
    });
    match told {
        NO_ANSWER => RATES.at(tsc),
        now => now,
    }
}

/// Microseconds since 1970-01-01 00:00 UTC.
#[must_use]
pub fn wall_clock_us() -> i64 {
    let now = now();
    let told = CLOCK.with(|clock| clock.map(|clock| clock.wall(&RATES, now)));
    match told {
        Some(wall) if wall.cast_unsigned() != NO_ANSWER => wall,
        _ => RATES.wall_at_boot.load(Ordering::Relaxed) + (now / 1000) as i64,
    }
}

/// How many ticks of the APIC timer take `ns`, or as many as it can count.
#[must_use]
pub fn timer_ticks(ns: u64) -> u32 {
    let told = CLOCK.with(|clock| clock.map(|clock| clock.ticks(&RATES, ns)));
    match told {
        Some(ticks) if ticks != NO_ANSWER as u32 => ticks.max(1),
        _ => {
            let rate = RATES.timer_per_ns.load(Ordering::Relaxed);
            let ticks = (u128::from(ns) * u128::from(rate)) >> 32;
            u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
        }
    }
}

/// Lets the running CPU's timer fire `ns` from now, or earlier when that is too
/// far for it.
#[cfg(mitos)]
pub fn set_timer(ns: u64) {
    interrupts::apic::timer_set(timer_ticks(ns));
}

/// Stops the running CPU's timer.
#[cfg(mitos)]
pub fn stop_timer() {
    interrupts::apic::timer_set(0);
}
