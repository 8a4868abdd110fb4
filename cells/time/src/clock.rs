//! Rates, measured; clocks and timers, from them.

use crate::calendar;
use alloc::boxed::Box;
use core::sync::atomic::Ordering;
use cpu::tsc;
use interrupts::{apic, platform};
use port::{Birth, BirthError, Component, CrashKind};
use time_port::{CLOCK, Clock, RATES, Rates, now};
use x86_64::instructions::port::Port;

/// Ticks of the ACPI timer per second (ACPI specification 4.8.2.1).
const PM_HZ: u64 = 3_579_545;
/// How many of them the measurement takes: about 8 ms.
const PM_TICKS: u32 = 28_636;

/// The cell's description.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&time_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide_leaf(&CLOCK, Box::new(Scaled) as Box<dyn Clock>);
    Ok(())
}

/// Time as a multiple of the counter.
struct Scaled;

impl Component for Scaled {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Clock for Scaled {
    fn at(&self, rates: &Rates, tsc: u64) -> u64 {
        let ticks = tsc.saturating_sub(rates.tsc_at_boot.load(Ordering::Relaxed));
        times(ticks, rates.ns_per_tick.load(Ordering::Relaxed))
    }

    fn wall(&self, rates: &Rates, now: u64) -> i64 {
        rates.wall_at_boot.load(Ordering::Relaxed) + (now / 1000) as i64
    }

    fn ticks(&self, rates: &Rates, ns: u64) -> u32 {
        let ticks = times(ns, rates.timer_per_ns.load(Ordering::Relaxed));
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}

/// Multiplies by a rate that is scaled by 2^32.
fn times(value: u64, rate: u64) -> u64 {
    ((u128::from(value) * u128::from(rate)) >> 32) as u64
}

/// Measures the rates on the boot CPU and reads the wall clock.
pub fn init() {
    RATES
        .tsc_at_boot
        .store(nano_core::boot_data().tsc_at_entry, Ordering::Relaxed);
    apic::timer_init(interrupts::TIMER);
    let (ns, tsc_ticks, apic_ticks) = measure();
    RATES
        .ns_per_tick
        .store(scaled(ns, tsc_ticks), Ordering::Relaxed);
    RATES
        .timer_per_ns
        .store(scaled(apic_ticks, ns), Ordering::Relaxed);
    let wall = calendar::read_clock();
    RATES
        .wall_at_boot
        .store(wall - (now() / 1000) as i64, Ordering::Relaxed);
}

fn scaled(numerator: u64, denominator: u64) -> u64 {
    ((u128::from(numerator) << 32) / u128::from(denominator.max(1))) as u64
}

/// How often a moment is read; the reading that took the shortest counts.
const READINGS: usize = 16;

/// What the three clocks showed at one moment.
struct Moment {
    acpi: u32,
    tsc: u64,
    apic: u32,
}

/// Reads the three clocks at one moment, as near to it as can be: a hypervisor may take
/// the CPU away between any two of them, for longer than the whole measurement takes.
fn moment(mut acpi: impl FnMut() -> u32) -> Moment {
    let reading = || {
        let before = tsc();
        let (acpi, apic) = (acpi(), apic::timer_left());
        let took = tsc() - before;
        (took, before + took / 2, acpi, apic)
    };
    let shortest = core::iter::repeat_with(reading).take(READINGS).min();
    let (_, tsc, acpi, apic) = shortest.unwrap_or_default();
    Moment { acpi, tsc, apic }
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
    let start = moment(&mut read);
    let passed = |acpi: u32| acpi.wrapping_sub(start.acpi) & 0x00ff_ffff;
    while passed(read()) < PM_TICKS {}
    let end = moment(&mut read);
    apic::timer_set(0);
    (
        u64::from(passed(end.acpi)) * 1_000_000_000 / PM_HZ,
        end.tsc - start.tsc,
        u64::from(start.apic - end.apic),
    )
}
