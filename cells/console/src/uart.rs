//! A 16550 serial port with interrupts (National Semiconductor PC16550D data
//! sheet): bytes in by interrupt, bytes out when the port is ready.

use crate::{script, terminal};
use alloc::sync::Arc;
use interrupts::{IrqLine, apic};
use sync::Mutex;
use task_port::{SpawnOptions, spawn};
use x86_64::instructions::port::Port;

/// A serial port.
pub(crate) struct Uart {
    base: u16,
    line: Arc<IrqLine>,
    writing: Mutex<()>,
}

impl Uart {
    /// Sets the port up and routes its interrupt; `None` when there is none.
    fn open(base: u16, irq: u8) -> Option<Arc<Self>> {
        let line = IrqLine::allocate(0).ok()?;
        let uart = Uart {
            base,
            line,
            writing: Mutex::new(()),
        };
        // The scratch register keeps what is written, if there is a port.
        uart.out(7, 0x5a);
        if uart.input(7) != 0x5a {
            return None;
        }
        uart.out(3, 0x03); // eight bits, no parity, one stop bit
        uart.out(2, 0x07); // FIFOs on and empty, interrupt at each byte
        uart.out(4, 0x0b); // DTR, RTS, interrupts to the bus
        uart.out(1, 0x01); // interrupt when bytes arrive
        let (_, vector) = uart.line.message();
        apic::route_isa(irq, vector as u8, cpu_apic());
        Some(Arc::new(uart))
    }

    fn out(&self, register: u16, value: u8) {
        // SAFETY: a register of a serial port that only this value drives.
        unsafe { Port::<u8>::new(self.base + register).write(value) }
    }

    fn input(&self, register: u16) -> u8 {
        // SAFETY: as above.
        unsafe { Port::<u8>::new(self.base + register).read() }
    }

    /// Waits for bytes until the clock shows `deadline` and gives those that are
    /// there, 64 at most; none at the deadline.
    pub(crate) fn read<'b>(&self, buffer: &'b mut [u8; 64], deadline: u64) -> &'b [u8] {
        let mut seen = self.line.count();
        loop {
            let mut len = 0;
            while len < buffer.len() && self.input(5) & 1 != 0 {
                buffer[len] = self.input(0);
                len += 1;
            }
            if len > 0 || task_port::now() >= deadline {
                return &buffer[..len];
            }
            seen = self.line.wait_deadline(seen, deadline);
        }
    }

    /// Writes all bytes.
    pub(crate) fn write(&self, bytes: &[u8]) {
        let _one_at_a_time = self.writing.lock();
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
fn cpu_apic() -> u32 {
    interrupts::platform::get()
        .cpus
        .first()
        .copied()
        .unwrap_or(0)
}

/// Starts the tasks behind both serial ports.
pub fn start() {
    if let Some(uart) = Uart::open(0x3f8, 4) {
        let _ = spawn(SpawnOptions::new("terminal").stack(64 * 1024), move || {
            terminal::run(&uart)
        });
    }
    if let Some(uart) = Uart::open(0x2f8, 3) {
        let _ = spawn(SpawnOptions::new("control").stack(128 * 1024), move || {
            script::run(&uart)
        });
    }
}
