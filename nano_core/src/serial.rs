//! The early console: COM1, polled, output only. The `console` cell takes the
//! log over once it runs; panics and fatal faults still end up here.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};
use spin::Mutex;
use x86_64::instructions::port::Port;

const COM1: u16 = 0x3f8;

/// The port, for whoever writes; one line at a time.
struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                send(b'\r');
            }
            send(byte);
        }
        Ok(())
    }
}

fn send(byte: u8) {
    let mut status = Port::<u8>::new(COM1 + 5);
    let mut data = Port::<u8>::new(COM1);
    // SAFETY: the first serial port of the PC; reading its line status and
    // writing its data register has no other effect.
    unsafe {
        let mut tries = 0;
        while status.read() & 0x20 == 0 && tries < 1_000_000 {
            tries += 1;
        }
        data.write(byte);
    }
}

/// Bytes of the log that are kept for `recent`.
const KEPT: usize = 16 << 10;

/// The latest bytes of the log, in a circle.
struct Kept {
    bytes: [u8; KEPT],
    /// How many there ever were.
    count: usize,
}

impl Write for Kept {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.bytes[self.count % KEPT] = byte;
            self.count += 1;
        }
        Ok(())
    }
}

static RECENT: Mutex<Kept> = Mutex::new(Kept {
    bytes: [0; KEPT],
    count: 0,
});

/// The latest lines of the log, the last 16 KiB of it.
#[must_use]
pub fn recent() -> String {
    let _irq = cpu::IrqGuard::new();
    // Made before the lock is taken: memory may be short, and that is logged.
    let mut bytes = Vec::with_capacity(KEPT);
    let kept = RECENT.lock();
    let first = kept.count.saturating_sub(KEPT);
    bytes.extend((first..kept.count).map(|at| kept.bytes[at % KEPT]));
    drop(kept);
    let text = String::from_utf8_lossy(&bytes);
    match (first, text.split_once('\n')) {
        // The first line is cut.
        (1.., Some((_, whole))) => whole.into(),
        _ => text.into_owned(),
    }
}

static LOCK: Mutex<()> = Mutex::new(());
static DYING: AtomicBool = AtomicBool::new(false);

/// Writes without formatting surprises; used by `print!`-like callers.
pub fn print(arguments: fmt::Arguments<'_>) {
    let _irq = cpu::IrqGuard::new();
    // After a fatal fault the lock may be held for ever by whoever faulted.
    let _guard = if DYING.load(Ordering::Relaxed) {
        None
    } else {
        Some(LOCK.lock())
    };
    let _ = Serial.write_fmt(arguments);
}

/// From now on output ignores the lock.
pub fn dying() {
    DYING.store(true, Ordering::Relaxed);
}

/// The log's sink until the console cell takes over.
pub struct EarlyLog;

impl log::Log for EarlyLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let cell = record.target().split("::").next().unwrap_or("?");
        let level = level(record.level());
        print(format_args!("[{cell}] {level}{}\n", record.args()));
        let _irq = cpu::IrqGuard::new();
        // Nobody waits here: a fault while the lock is held must not end the log.
        if let Some(mut kept) = RECENT.try_lock() {
            let _ = write!(kept, "[{cell}] {level}{}\n", record.args());
        }
    }

    fn flush(&self) {}
}

/// Only what is out of the ordinary names its level.
fn level(level: log::Level) -> &'static str {
    match level {
        log::Level::Error => "error: ",
        log::Level::Warn => "warning: ",
        _ => "",
    }
}
