//! A 16550 serial port with interrupts (National Semiconductor PC16550D data
//! sheet): bytes in by interrupt, bytes out when the port is ready.

use crate::{script, terminal};
use alloc::boxed::Box;
use console_port::editor::Editor;
use console_port::{CONSOLE, Console, Serial, User, Wait, Which};
use control::Reader;
use interrupts::{IrqLine, apic};
use port::{Birth, BirthError, Component, CrashKind};
use x86_64::instructions::port::Port;

/// The cell's description.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&console_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide(&CONSOLE, Box::new(Provider) as Box<dyn Console>);
    Ok(())
}

struct Provider;

impl Component for Provider {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Console for Provider {
    fn open(&self, which: Which) -> Option<Serial> {
        match which {
            Which::Terminal => open(0x3f8, 4, User::Person(Editor::new())),
            Which::Control => open(0x2f8, 3, User::Script(Reader::new())),
        }
    }

    fn round(&self, serial: &mut Serial) -> Wait {
        // Counted before the look: what comes during it ends the wait.
        let seen = serial.line.count();
        let Serial {
            base, user, stale, ..
        } = serial;
        let uart = Uart(*base);
        let until = match user {
            User::Person(editor) => terminal::round(uart, editor),
            User::Script(reader) => script::round(uart, reader, stale),
        };
        Wait { seen, until }
    }
}

/// The registers of a serial port, by the first one.
#[derive(Clone, Copy)]
pub(crate) struct Uart(u16);

/// Sets the port up and routes its interrupt; `None` when there is none.
fn open(base: u16, irq: u8, user: User) -> Option<Serial> {
    let line = IrqLine::allocate(0).ok()?;
    let uart = Uart(base);
    // The scratch register keeps what is written, if there is a port.
    uart.out(7, 0x5a);
    if uart.input(7) != 0x5a {
        return None;
    }
    uart.out(3, 0x03); // eight bits, no parity, one stop bit
    uart.out(2, 0x07); // FIFOs on and empty, interrupt at each byte
    uart.out(4, 0x0b); // DTR, RTS, interrupts to the bus
    uart.out(1, 0x01); // interrupt when bytes arrive
    let (_, vector) = line.message();
    apic::route_isa(irq, vector as u8, boot_apic());
    Some(Serial {
        base,
        line,
        user,
        stale: 0,
    })
}

impl Uart {
    fn out(self, register: u16, value: u8) {
        // SAFETY: a register of a serial port; only the task that holds its
        // `Serial` enters with it.
        unsafe { Port::<u8>::new(self.0 + register).write(value) }
    }

    fn input(self, register: u16) -> u8 {
        // SAFETY: as above.
        unsafe { Port::<u8>::new(self.0 + register).read() }
    }

    /// The bytes that are there, 64 at most.
    pub(crate) fn read(self, buffer: &mut [u8; 64]) -> &[u8] {
        let mut len = 0;
        while len < buffer.len() && self.input(5) & 1 != 0 {
            buffer[len] = self.input(0);
            len += 1;
        }
        &buffer[..len]
    }

    /// Writes all bytes.
    pub(crate) fn write(self, bytes: &[u8]) {
        for chunk in bytes.chunks(16) {
            // The FIFO takes sixteen when it is empty.
            let mut tries = 0u32;
            while self.input(5) & 0x20 == 0 {
                tries += 1;
                if tries.is_multiple_of(64) {
                    task_port::yield_now();
                }
            }
            for byte in chunk {
                self.out(0, *byte);
            }
        }
    }
}

/// Interrupts go to the boot CPU.
fn boot_apic() -> u32 {
    interrupts::platform::get()
        .cpus
        .first()
        .copied()
        .unwrap_or(0)
}
