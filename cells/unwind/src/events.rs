//! A ring of recent events, printed when the system dies: what led there.

use core::fmt::{self, Write};
use sync::IrqLock;

const EVENTS: usize = 64;
const LENGTH: usize = 100;

#[derive(Clone, Copy)]
struct Event {
    time: u64,
    cpu: u8,
    len: u8,
    text: [u8; LENGTH],
}

struct Ring {
    events: [Event; EVENTS],
    next: usize,
}

static RING: IrqLock<Ring> = IrqLock::new(Ring {
    events: [Event {
        time: 0,
        cpu: 0,
        len: 0,
        text: [0; LENGTH],
    }; EVENTS],
    next: 0,
});

impl Write for Event {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let at = usize::from(self.len);
        let room = text.len().min(LENGTH - at);
        self.text[at..at + room].copy_from_slice(&text.as_bytes()[..room]);
        self.len += room as u8;
        Ok(())
    }
}

/// Notes an event; cut to 100 bytes. `event(format_args!(...))`. Whoever interrupts a
/// note on the same CPU is not noted.
pub fn event(what: fmt::Arguments<'_>) {
    let time = cpu::tsc();
    let mut event = Event {
        time,
        cpu: cpu::id() as u8,
        len: 0,
        text: [0; LENGTH],
    };
    let _ = event.write_fmt(what);
    let Some(mut ring) = RING.lock_unless_mine() else {
        return;
    };
    let next = ring.next;
    ring.events[next % EVENTS] = event;
    ring.next += 1;
}

/// Prints the ring, oldest first.
pub(crate) fn print(out: fn(fmt::Arguments<'_>)) {
    let Some(ring) = RING.try_lock() else {
        return out(format_args!("  (the event ring is locked)\n"));
    };
    let first = ring.next.saturating_sub(EVENTS);
    for number in first..ring.next {
        let event = &ring.events[number % EVENTS];
        let text = core::str::from_utf8(&event.text[..usize::from(event.len)]).unwrap_or("?");
        out(format_args!(
            "  {:>16} cpu{} {}\n",
            event.time, event.cpu, text
        ));
    }
}
