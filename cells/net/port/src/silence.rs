//! Silence: frames go out and none comes in. A driver that is damaged may move nothing
//! and never fault; nobody would notice until the clients give up.
//!
//! While connections send, and send again, something answers within a second or so on
//! every network that works. Where nothing does, the driver is taken for broken: a fault is
//! reported in its name, so that a fresh instance takes its place, and that one starts the
//! device anew rather than take over rings that may be what is damaged. If it was the network after all, little is lost: what is in the
//! rings. Each time without an answer doubles the patience, up to [`MOST_NS`].

use crate::Round;
use alloc::string::String;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use task_port::{Fault, FaultKind};
use virtio_net_port::state::distrust;

/// How long silence lasts before something is done, the first time.
const LEAST_NS: u64 = 1_500_000_000;
/// And the longest.
const MOST_NS: u64 = 300_000_000_000;
/// So many rounds must have sent something: the last acknowledgement of a conversation
/// is not answered, and a frame may be lost.
const ASKED: u32 = 3;
/// What was sent longer ago than this before the next is another matter.
const GAP_NS: u64 = 15_000_000_000;

/// What is known of it.
struct Silence {
    /// Rounds in which a connection sent something since a frame came.
    unanswered: AtomicU32,
    /// When the first of them was (ns).
    since: AtomicU64,
    /// And the last.
    last: AtomicU64,
    /// How long silence may last now (ns).
    patience: AtomicU64,
}

static SILENCE: Silence = Silence::new();

impl Silence {
    const fn new() -> Self {
        Silence {
            unanswered: AtomicU32::new(0),
            since: AtomicU64::new(0),
            last: AtomicU64::new(0),
            patience: AtomicU64::new(LEAST_NS),
        }
    }

    fn note(&self, round: &Round, now: impl Fn() -> u64) {
        if round.heard {
            if self.unanswered.load(Relaxed) > 0 {
                self.unanswered.store(0, Relaxed);
                self.patience.store(LEAST_NS, Relaxed);
            }
        } else if round.said {
            let now = now();
            let before = self.last.swap(now, Relaxed);
            if now.saturating_sub(before) > GAP_NS {
                self.unanswered.store(0, Relaxed);
            }
            if self.unanswered.fetch_add(1, Relaxed) == 0 {
                self.since.store(now, Relaxed);
            }
        }
    }

    /// How long it has lasted (ns), if that is too long; it begins anew then.
    fn too_long(&self, now: impl Fn() -> u64) -> Option<u64> {
        if self.unanswered.load(Relaxed) < ASKED {
            return None;
        }
        let (now, patience) = (now(), self.patience.load(Relaxed));
        let lasted = now.saturating_sub(self.since.load(Relaxed));
        if lasted < patience {
            return None;
        }
        self.since.store(now, Relaxed);
        self.patience.store((patience * 2).min(MOST_NS), Relaxed);
        Some(lasted)
    }
}

/// Takes note of what a round came to, whoever did it.
pub(crate) fn note(round: &Round) {
    SILENCE.note(round, task_port::now);
}

/// Does something about silence that has lasted for too long. By the background loop.
pub(crate) fn end() {
    let Some(lasted) = SILENCE.too_long(task_port::now) else {
        return;
    };
    let ms = lasted / 1_000_000;
    let message = alloc::format!("no frame has come for {ms} ms, though some were sent");
    distrust();
    let driver = String::from(virtio_net_port::DOOR.name());
    task_port::report(&Fault::new(FaultKind::Hang, driver, message));
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn round(heard: bool, said: bool) -> Round {
        Round {
            due: 0,
            more: false,
            heard,
            said,
        }
    }

    #[test]
    fn who_asks_and_is_not_answered_loses_patience() {
        let silence = Silence::new();
        let at = |ms: u64| move || ms * MS;
        // Nobody asks: nothing is amiss, however long it lasts.
        silence.note(&round(false, false), at(0));
        assert_eq!(silence.too_long(at(1_000_000)), None);
        for ms in [1_000_000, 1_000_300, 1_000_900] {
            silence.note(&round(false, true), at(ms));
        }
        assert_eq!(silence.too_long(at(1_001_499)), None);
        assert_eq!(silence.too_long(at(1_001_500)), Some(1_500 * MS));
        // The next time takes twice as long.
        assert_eq!(silence.too_long(at(1_003_000)), None);
        assert_eq!(silence.too_long(at(1_004_500)), Some(3_000 * MS));
    }

    #[test]
    fn an_answer_ends_it() {
        let silence = Silence::new();
        let at = |ms: u64| move || ms * MS;
        for ms in [0, 300, 900] {
            silence.note(&round(false, true), at(ms));
        }
        assert!(silence.too_long(at(1_600)).is_some());
        silence.note(&round(true, true), at(1_700));
        assert_eq!(silence.too_long(at(9_000)), None);
        assert_eq!(silence.patience.load(Relaxed), LEAST_NS);
    }

    #[test]
    fn what_nobody_need_answer_does_not_add_up() {
        let silence = Silence::new();
        for minute in 0..100 {
            let at = move || minute * 60_000 * MS;
            silence.note(&round(false, true), at);
            assert_eq!(silence.too_long(at), None);
        }
    }
}
