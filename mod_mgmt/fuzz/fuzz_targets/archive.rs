//! Any bytes as a cell archive, as boot and `push` get them.
#![no_main]

#[path = "../../archive/tests/support/mod.rs"]
#[allow(dead_code)]
mod support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let random = bytes
        .iter()
        .fold(0, |sum: u64, byte| sum.rotate_left(8) ^ u64::from(*byte));
    support::attempt(bytes, random);
});
