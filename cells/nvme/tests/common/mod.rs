//! What the tests share: a fake controller behind a fake PCI bus, a driver on
//! it, and memory to move.
#![allow(dead_code)]

pub mod fake;
pub mod load;

use fake::{Fake, Knobs, Medium, Model, TABLE, WINDOW};
use memory::{DmaRegion, DmaSlice};
use nvme_port::{BlockDevice, NvmeState, Op, Request};
use pci::fake::{FakeConfig, FakeFunction};
use pci::{ConfigSpace, PciBus};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use sync::Completion;

pub struct Rig {
    pub knobs: Arc<Knobs>,
    pub medium: Arc<Mutex<Medium>>,
    pub bus: PciBus,
    controller: Option<JoinHandle<()>>,
}

/// Shows the log of a test that fails.
struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        println!("{}: {}", record.level(), record.args());
    }
    fn flush(&self) {}
}

impl Rig {
    /// Starts the controller.
    pub fn new(model: Model) -> Self {
        if log::set_logger(&Log).is_ok() {
            log::set_max_level(log::LevelFilter::Info);
        }
        let physical = pci::fake::registers(WINDOW as u64).unwrap();
        let knobs = Arc::new(Knobs::default());
        let controller = Fake::new(model, physical, Arc::clone(&knobs));
        let medium = Arc::clone(&controller.medium);
        let function = FakeFunction::new(0x1b36, 0x0010, [1, 8, 2])
            .bar(0, physical, WINDOW as u64, 4)
            .msix(8, 0, TABLE as u32);
        let config = FakeConfig::default()
            .with(0, 0, 0, FakeFunction::new(0x8086, 0x29c0, [6, 0, 0]))
            .with(0, 3, 0, function);
        let bus = PciBus::scan(ConfigSpace::new(Arc::new(config)), 0..=0, 0..0);
        Rig {
            knobs,
            medium,
            bus,
            controller: Some(std::thread::spawn(move || controller.run())),
        }
    }

    /// Opens it as the driver does.
    pub fn open(&self, settings: &nvme::Settings) -> Arc<NvmeState> {
        let claim = self.bus.claim_class(1, 8, 2).expect("unclaimed");
        let state = nvme::open(claim, settings).expect("it comes up");
        let lines = state.queues.iter().map(|q| Arc::clone(&q.line));
        *self.knobs.lines.lock().unwrap() = lines.collect();
        state
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.knobs.stop.store(true, SeqCst);
        if let Some(thread) = self.controller.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the controller found a mistake of the driver");
        }
    }
}

/// Loops around a driver without a port.
pub struct Loops(Arc<AtomicBool>, Vec<JoinHandle<()>>);

impl Loops {
    pub fn start(driver: &Arc<nvme::Driver>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |queue: usize| {
            let (stop, driver) = (Arc::clone(&stop), Arc::clone(driver));
            std::thread::spawn(move || {
                while !stop.load(SeqCst) {
                    let look = driver.poll_queue(queue).unwrap();
                    let soon = task_port::now() + 10_000_000;
                    look.line.wait_deadline(look.seen, look.again.min(soon));
                }
            })
        };
        let threads = (0..driver.queues()).map(start).collect();
        Loops(stop, threads)
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
        for thread in self.1.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// A buffer of the device's: `len` bytes, starting `offset` bytes into a page.
pub fn buffer(offset: usize, len: usize) -> DmaSlice {
    DmaSlice::new(DmaRegion::allocate(offset + len).unwrap(), offset, len).unwrap()
}

pub fn fill(data: &DmaSlice, bytes: &[u8]) {
    assert_eq!(data.len(), bytes.len());
    // SAFETY: the test owns the buffer and no request is in flight on it.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), data.as_ptr().as_ptr(), bytes.len()) }
}

pub fn bytes(data: &DmaSlice) -> Vec<u8> {
    // SAFETY: as in `fill`.
    unsafe { core::slice::from_raw_parts(data.as_ptr().as_ptr(), data.len()).to_vec() }
}

pub fn request(op: Op, offset: u64, data: Option<&DmaSlice>) -> (Request, Completion) {
    let done = Completion::new();
    let request = Request {
        op,
        offset,
        data: data.cloned(),
        done: done.clone(),
    };
    (request, done)
}

/// Pseudo-random numbers by seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}
