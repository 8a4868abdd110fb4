//! The early console: COM1, polled, output only. The `console` cell takes the
//! log over once it runs; panics and fatal faults still end up here.

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
        print(format_args!(
            "[{cell}] {}{}\n",
            level(record.level()),
            record.args()
        ));
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
