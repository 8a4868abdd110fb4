//! Any bytes as a packed object: read and linked.
#![no_main]

#[path = "../../object/tests/support/attempt.rs"]
#[allow(dead_code)]
mod attempt;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;

thread_local! {
    /// A cell's memory, up to 256 MiB, is made once.
    static MEMORY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fuzz_target!(|bytes: &[u8]| {
    MEMORY.with_borrow_mut(|memory| {
        let _ = attempt::packed(bytes, memory);
    });
});
