//! The swap of the smallest stateful cell, with nobody else about: what a swap
//! costs before there is any load.

use crate::run::{Bench, Measured, median};
use alloc::format;
use alloc::vec::Vec;
use swap_port::{Reason, Record};

pub(crate) const BENCHES: &[Bench] = &[
    Bench {
        name: "swap_pause_idle",
        run: || swaps(|record| record.pause),
    },
    Bench {
        name: "swap_load_idle",
        run: || swaps(|record| record.load),
    },
];

fn swaps(time: fn(&Record) -> u64) -> Measured {
    let times: Result<Vec<u64>, _> = (0..21)
        .map(|_| swap_port::swap(&["counter"], Reason::Asked).map(|record| time(&record)))
        .collect();
    times.map(median).map_err(|e| format!("{e}"))
}
