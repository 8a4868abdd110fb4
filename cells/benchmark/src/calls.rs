//! Calls: within a cell, through a slot into another, through a port, behind a
//! gate. The functions called are as small as they can be, so that the figure
//! is the call's.

use crate::run::{Bench, Measured, per_call, per_round};
use alloc::boxed::Box;
use alloc::format;
use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering};
use counter_port::{COUNTER, CounterState};
use task_port::gate;

const MANY: u64 = 20_000;

pub(crate) const BENCHES: &[Bench] = &[
    Bench {
        name: "empty_loop",
        run: empty_loop,
    },
    Bench {
        name: "plain_call",
        run: plain_call,
    },
    Bench {
        name: "slot_call",
        run: slot_call,
    },
    Bench {
        name: "virtual_call",
        run: virtual_call,
    },
    Bench {
        name: "port_call",
        run: port_call,
    },
    Bench {
        name: "port_call_inside",
        run: port_call_inside,
    },
    Bench {
        name: "gate",
        run: gate_without_fault,
    },
    Bench {
        name: "panic_caught",
        run: panic_caught,
    },
    Bench {
        name: "clock",
        run: clock,
    },
];

fn empty_loop() -> Measured {
    Ok(per_round(MANY, |i| {
        black_box(i);
    }))
}

/// The same work as `CounterState::get`, in this cell.
#[inline(never)]
fn own_get(value: &AtomicU64) -> u64 {
    value.load(Ordering::SeqCst)
}

fn plain_call() -> Measured {
    let value = AtomicU64::new(1);
    Ok(per_call(MANY, |i| {
        black_box((i, own_get(black_box(&value))));
    }))
}

/// `CounterState::get` is code of the cell `counter_port`.
fn slot_call() -> Measured {
    let state = CounterState::default();
    Ok(per_call(MANY, |i| {
        black_box((i, black_box(&state).get()));
    }))
}

trait Get {
    fn get(&self) -> u64;
}

impl Get for AtomicU64 {
    fn get(&self) -> u64 {
        self.load(Ordering::SeqCst)
    }
}

fn virtual_call() -> Measured {
    let value: Box<dyn Get> = Box::new(AtomicU64::new(1));
    Ok(per_call(MANY, |i| {
        black_box((i, black_box(&value).get()));
    }))
}

/// Enter, call through the trait object, leave: a call into another cell.
fn port_call() -> Measured {
    COUNTER.enter().map_err(|e| format!("{e}"))?;
    Ok(per_call(MANY, |i| {
        black_box((i, COUNTER.enter().map_or(0, |counter| counter.get())));
    }))
}

/// Further calls by one who is inside the port already.
fn port_call_inside() -> Measured {
    let counter = COUNTER.enter().map_err(|e| format!("{e}"))?;
    Ok(per_call(MANY, |i| {
        black_box((i, black_box(&counter).get()));
    }))
}

fn gate_without_fault() -> Measured {
    Ok(per_call(MANY / 10, |i| {
        let _ = black_box(gate(|| black_box(i)));
    }))
}

/// From the panic to the value at the gate, three frames above.
fn panic_caught() -> Measured {
    #[inline(never)]
    fn inner(i: u64) {
        if black_box(true) {
            panic!("on purpose, {i}");
        }
    }
    #[inline(never)]
    fn outer(i: u64) {
        inner(black_box(i));
        black_box(i);
    }
    Ok(per_round(5, |i| {
        let _ = black_box(gate(|| outer(i)));
    }))
}

fn clock() -> Measured {
    Ok(per_call(MANY / 10, |i| {
        black_box((i, task_port::now()));
    }))
}
