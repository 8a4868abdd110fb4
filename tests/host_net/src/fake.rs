//! A network interface in memory and the cable it is plugged into.

use port::{Birth, BirthError, Component, CrashKind};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use virtio_net_port::{NIC, Nic, NicError, NicInfo};

/// The fake interface's descriptor; it is plugged into [`cable`].
pub static CELL: port::Cell = port::Cell {
    name: "virtio_net",
    version: "0.0.0",
    provides: &[&virtio_net_port::DOOR],
    birth,
};

/// The hardware address of the interface.
pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The longest frame.
pub const FRAME: usize = 1514;
/// How many frames the cable holds in each direction.
const CAPACITY: usize = 256;

/// What happens to frames on their way, in frames of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// Lost.
    pub lost: u64,
    /// Overtaken by up to three later ones.
    pub reordered: u64,
    /// Arriving twice.
    pub doubled: u64,
}

/// What the interface does to the next frame that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// It faults before the frame is written.
    FaultBefore,
    /// It faults when the frame has been written.
    FaultAfter,
    /// It lends less room than was asked for.
    NoRoom,
}

struct Lane {
    frames: VecDeque<Vec<u8>>,
    random: u64,
    trouble: Trouble,
    carried: u64,
}

/// Two lanes: to the interface, and to the other end.
pub struct Cable {
    inward: Mutex<Lane>,
    outward: Mutex<Lane>,
    arrived: Condvar,
    tap: Mutex<Option<Vec<Vec<u8>>>>,
    mischief: Mutex<Option<Mischief>>,
}

/// The cable of this process.
pub fn cable() -> &'static Cable {
    static CABLE: OnceLock<Cable> = OnceLock::new();
    CABLE.get_or_init(|| Cable {
        inward: Mutex::new(Lane::new(1)),
        outward: Mutex::new(Lane::new(2)),
        arrived: Condvar::new(),
        tap: Mutex::new(None),
        mischief: Mutex::new(None),
    })
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next number of a seeded sequence (xorshift).
pub fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

impl Lane {
    fn new(seed: u64) -> Self {
        Lane {
            frames: VecDeque::new(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            trouble: Trouble::default(),
            carried: 0,
        }
    }

    fn carry(&mut self, frame: Vec<u8>) {
        self.carried += 1;
        let mut hit = |part: u64| random(&mut self.random) % 1000 < part;
        if hit(self.trouble.lost) {
            return;
        }
        if hit(self.trouble.doubled) {
            self.frames.push_back(frame.clone());
        }
        if hit(self.trouble.reordered) {
            let back = (random(&mut self.random) % 4) as usize;
            let at = self.frames.len().saturating_sub(back);
            self.frames.insert(at, frame);
        } else {
            self.frames.push_back(frame);
        }
    }
}

impl Cable {
    /// Changes what happens to frames, with a new seed.
    pub fn set_trouble(&self, seed: u64, trouble: Trouble) {
        for (lane, salt) in [(&self.inward, 0), (&self.outward, 0x5555)] {
            let mut lane = held(lane);
            *lane = Lane::new(seed ^ salt);
            lane.trouble = trouble;
        }
    }

    /// Frames carried to the interface and to the other end so far.
    pub fn carried(&self) -> (u64, u64) {
        (held(&self.inward).carried, held(&self.outward).carried)
    }

    /// The other end sends a frame.
    pub fn send(&self, frame: Vec<u8>) {
        if let Some(copies) = &mut *held(&self.tap) {
            copies.push(frame.clone());
        }
        held(&self.inward).carry(frame);
        if let Ok(line) = virtio_net_port::line() {
            line.raise();
        }
    }

    /// Starts to keep copies of what the other end sends; gives those kept
    /// until now.
    pub fn tap(&self) -> Vec<Vec<u8>> {
        held(&self.tap).replace(Vec::new()).unwrap_or_default()
    }

    /// Has the interface do this once. False when it has not yet done what it was told
    /// before.
    pub fn plan(&self, mischief: Mischief) -> bool {
        held(&self.mischief).replace(mischief).is_none()
    }

    /// Stops keeping copies.
    pub fn untap(&self) {
        *held(&self.tap) = None;
    }

    /// The other end takes a frame.
    pub fn take(&self) -> Option<Vec<u8>> {
        held(&self.outward).frames.pop_front()
    }

    /// The other end waits for a frame, not longer than `timeout`.
    pub fn wait(&self, timeout: Duration) {
        let lane = held(&self.outward);
        if lane.frames.is_empty() {
            drop(self.arrived.wait_timeout(lane, timeout));
        }
    }
}

struct FakeNic;

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let nic: Box<dyn Nic> = Box::new(FakeNic);
    birth.provide(&NIC, nic);
    Ok(())
}

impl Component for FakeNic {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Nic for FakeNic {
    fn info(&self) -> NicInfo {
        NicInfo {
            mac: MAC,
            frame: FRAME,
        }
    }

    fn link(&self) -> bool {
        true
    }

    fn receive(&self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        for n in 0..limit {
            let frame = held(&cable().inward).frames.pop_front();
            match frame {
                Some(frame) => sink(&frame),
                None => return n,
            }
        }
        limit
    }

    fn room(&self) -> bool {
        held(&cable().outward).frames.len() < CAPACITY
    }

    fn transmit(&self, len: usize, fill: &mut dyn FnMut(&mut [u8])) -> Result<(), NicError> {
        if len > FRAME {
            return Err(NicError::TooLong);
        }
        if !self.room() {
            return Err(NicError::Full);
        }
        let mischief = held(&cable().mischief).take();
        assert!(mischief != Some(Mischief::FaultBefore), "before");
        let room = match mischief {
            Some(Mischief::NoRoom) => len / 2,
            _ => len,
        };
        let mut frame = vec![0; room];
        fill(&mut frame);
        assert!(mischief != Some(Mischief::FaultAfter), "after");
        held(&cable().outward).carry(frame);
        Ok(())
    }

    fn kick(&self) {
        cable().arrived.notify_all();
    }
}
