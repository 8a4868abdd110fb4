//! Rates, measured; clocks and timers, from them.

use crate::calendar;
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use interrupts::{apic, platform};
use x86_64::instructions::port::Port;

/// Ticks of the ACPI timer per second (ACPI specification 4.8.2.1).
const PM_HZ: u64 = 3_579_545;
/// How many of them the measurement takes: about 8 ms.
const PM_TICKS: u32 = 28_636;

/// Nanoseconds per TSC tick, times 2^32.
static NS_PER_TICK: AtomicU64 = AtomicU64::new(1 << 32);
/// APIC timer ticks per nanosecond, times 2^32.
static TICKS_PER_NS: AtomicU64 = AtomicU64::new(1 << 32);
static TSC_AT_BOOT: AtomicU64 = AtomicU64::new(0);
/// Wall clock at monotonic zero.
static WALL_AT_BOOT_US: AtomicI64 = AtomicI64::new(0);

/// The time stamp counter.
#[inline]
#[must_use]
pub fn tsc() -> u64 {
    // SAFETY: reading the counter has no effect.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Measures the rates on the boot CPU and reads the wall clock.
pub fn init() {
    TSC_AT_BOOT.store(nano_core::boot_data().tsc_at_entry, Ordering::Relaxed);
    apic::timer_init(interrupts::TIMER);
    let (ns, tsc_ticks, apic_ticks) = measure();
    NS_PER_TICK.store(scaled(ns, tsc_ticks), Ordering::Relaxed);
    TICKS_PER_NS.store(scaled(apic_ticks, ns), Ordering::Relaxed);
    let wall = calendar::read_clock();
    WALL_AT_BOOT_US.store(wall - (now() / 1000) as i64, Ordering::Relaxed);
}

fn scaled(numerator: u64, denominator: u64) -> u64 {
    ((u128::from(numerator) << 32) / u128::from(denominator.max(1))) as u64
}

/// Nanoseconds, TSC ticks and APIC timer ticks of the same stretch of time.
fn measure() -> (u64, u64, u64) {
    let Some(port) = platform::get().pm_timer else {
        log::warn!("no ACPI timer: assuming 1 GHz");
        return (1, 1, 1);
    };
    let mut timer = Port::<u32>::new(port);
    // SAFETY: the ACPI timer's port; reading has no effect.
    let mut read = || unsafe { timer.read() } & 0x00ff_ffff;
    apic::timer_set(u32::MAX);
    let (start, tsc_start, apic_start) = (read(), tsc(), apic::timer_left());
    loop {
        let passed = read().wrapping_sub(start) & 0x00ff_ffff;
        if passed >= PM_TICKS {
            let (tsc_ticks, apic_ticks) = (tsc() - tsc_start, apic_start - apic::timer_left());
            apic::timer_set(0);
            return (
                u64::from(passed) * 1_000_000_000 / PM_HZ,
                tsc_ticks,
                u64::from(apic_ticks),
            );
        }
    }
}

/// Nanoseconds since the boot image's first instruction.
#[inline]
#[must_use]
pub fn now() -> u64 {
    let ticks = tsc().saturating_sub(TSC_AT_BOOT.load(Ordering::Relaxed));
    ((u128::from(ticks) * u128::from(NS_PER_TICK.load(Ordering::Relaxed))) >> 32) as u64
}

/// Microseconds since 1970-01-01 00:00 UTC.
#[must_use]
pub fn wall_clock_us() -> i64 {
    WALL_AT_BOOT_US.load(Ordering::Relaxed) + (now() / 1000) as i64
}

/// Lets the running CPU's timer fire `ns` from now, or earlier when that is too
/// far for it.
pub fn set_timer(ns: u64) {
    let ticks = (u128::from(ns) * u128::from(TICKS_PER_NS.load(Ordering::Relaxed))) >> 32;
    apic::timer_set(u32::try_from(ticks).unwrap_or(u32::MAX).max(1));
}

/// Stops the running CPU's timer.
pub fn stop_timer() {
    apic::timer_set(0);
}
