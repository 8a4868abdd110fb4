//! Waiting for the network by looking at it.
//!
//! A frame's interrupt wakes the background loop, which hands what came to the
//! connection's signal, which wakes who reads: two switches for a task that could
//! have looked itself. So who waits for bytes *leads*: when an interrupt finds the
//! CPU idle, it wakes the leader in place of the loop, and the leader makes the
//! round, for itself and for all others. When the CPU has other work, which may be
//! as urgent as the leader, it is the loop's turn as ever, and the loop serves all
//! timers. Whoever came to wait last leads; without a leader the loop is woken.

use crate::run::{round, wake_loop_by};
use crate::{Round, Signal};
use alloc::sync::Arc;
use interrupts::IrqLine;

/// The leader's role, given up when dropped, also by the ledger.
struct Lead {
    line: &'static Arc<IrqLine>,
    /// The line's count before the leader's last round: what was counted since is
    /// the leader's to look at.
    looked: u64,
}

impl Lead {
    fn take() -> Option<Self> {
        let line = virtio_net_port::line().ok()?;
        let looked = line.count();
        task_port::with_ledger(|l| l.enter(key(line), 0, release));
        line.lead();
        Some(Lead { line, looked })
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.line.follow();
        task_port::with_ledger(|l| l.leave(key(self.line), 0));
        // An interrupt that woke this task for a round it does not make.
        if self.line.count() != self.looked {
            self.line.nudge();
        }
    }
}

fn key(line: &Arc<IrqLine>) -> usize {
    Arc::as_ptr(line).addr()
}

/// What the ledger calls for a leader whose frame is gone.
fn release(_: usize, _: usize) {
    if let Ok(line) = virtio_net_port::line() {
        line.follow();
        line.nudge();
    }
}

/// The same while somebody else does the rounds.
fn follow(signal: &Signal, seen: u64, deadline: Option<u64>) -> bool {
    match deadline {
        Some(deadline) => signal.wait_deadline(seen, deadline),
        None => {
            signal.wait(seen);
            true
        }
    }
}

/// Blocks until `signal` has counted past `seen`; false when the clock shows
/// `deadline` (ns) before that.
pub(crate) fn wait(signal: &Signal, seen: u64, deadline: Option<u64>) -> bool {
    let Some(mut lead) = Lead::take() else {
        return follow(signal, seen, deadline);
    };
    loop {
        if !signal.wait_also(seen, deadline, || lead.line.count() != lead.looked) {
            return false;
        }
        if signal.count() != seen {
            return true;
        }
        loop {
            // Before the round: what happens during it is for the next one.
            lead.looked = lead.line.count();
            let Some(Round { due, more, .. }) = round() else {
                // Being restarted, or just faulted: the loop knows what to do. Who tried
                // again here would do so without end.
                drop(lead);
                crate::kick();
                return follow(signal, seen, deadline);
            };
            wake_loop_by(due);
            if !more || signal.count() != seen {
                break;
            }
        }
    }
}
