//! A disk in memory, for tests on the host: it tells written from durable.
//!
//! A completed write is in a volatile cache until a flush or until the same
//! sectors are written with force. [`SimDisk::power_cut`] gives what such a disk
//! may hold after the power failed: of each sector written since, some version
//! between the durable one and the last, chosen by seed, so writes are lost,
//! reordered and torn. [`SimDisk::fail_after`] lets the power fail in the middle
//! of a write. Errors can be injected by place.
//!
//! Requests are done at once, or by a thread in an order chosen by seed, or, in a
//! simulation (`task_port::simulate`), as events after a time chosen by the seed.
//! There, requests can also fail at random ([`Rates`]): a failed write leaves a
//! mixture of old and new sectors, a failed flush loses some of what was to
//! become durable.

mod hold;
mod image;
mod queue;
mod simulated;

pub use image::{Image, Random, SECTOR, copy_from, copy_to};
pub use simulated::Rates;

use image::Media;
use nvme_port::{BlockDevice, DEVICE_LOST, DISK, Geometry, IO_ERROR, OK, Op, Request, Urgency};
use port::{Birth, BirthError, Cell, Component, CrashKind, Options};
use queue::Queue;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An error to be given for requests that touch a place.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which requests.
    pub op: Op,
    /// Which place, in bytes.
    pub range: Range<u64>,
    /// How many times; counts down.
    pub times: u32,
}

#[derive(Debug)]
struct Inner {
    media: Media,
    faults: Vec<Fault>,
    /// Requests until the power fails.
    fuse: Option<u64>,
    dead: bool,
    died_at: u64,
    counts: Counts,
    /// Writes handed over and not done, by number: where and what.
    on_the_way: BTreeMap<u64, (u64, Vec<u8>)>,
    next: u64,
    rates: Rates,
    /// Requests that fail leave traces; without, nothing is done of them.
    messy: bool,
    random: Random,
    /// Told of every request that ends.
    trace: Option<fn(core::fmt::Arguments<'_>)>,
    hold: hold::Hold,
}

/// How many requests the disk has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads.
    pub reads: u64,
    /// Writes into the cache.
    pub writes: u64,
    /// Writes with force.
    pub durable: u64,
    /// Flushes.
    pub flushes: u64,
}

/// The disk. Cheap to share.
#[derive(Clone, Debug)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
    queue: Option<Arc<Queue>>,
    /// Requests are events of a simulation.
    simulated: bool,
    geometry: Geometry,
}

impl SimDisk {
    /// A blank disk of `capacity` bytes that does requests at once.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        SimDisk::from_image(Image::blank(capacity))
    }

    /// A disk that holds `image`.
    #[must_use]
    pub fn from_image(image: Image) -> Self {
        let geometry = Geometry {
            block_size: 512,
            capacity: image.len(),
            max_transfer: 128 << 10,
            volatile_cache: true,
        };
        let inner = Inner {
            media: Media::new(image),
            faults: Vec::new(),
            fuse: None,
            dead: false,
            died_at: 0,
            counts: Counts::default(),
            on_the_way: BTreeMap::new(),
            next: 0,
            rates: Rates::default(),
            messy: false,
            random: Random::new(0),
            trace: None,
            hold: hold::Hold::default(),
        };
        SimDisk {
            inner: Arc::new(Mutex::new(inner)),
            queue: None,
            simulated: false,
            geometry,
        }
    }

    /// The same disk, but requests are done by a thread in an order chosen by
    /// `seed`.
    #[must_use]
    pub fn threaded(mut self, seed: u64) -> Self {
        let inner = Arc::clone(&self.inner);
        self.queue = Some(Queue::start(seed, move |request| {
            finish(&inner, request);
        }));
        self
    }

    /// The same disk, but requests are done by a thread, all that have come
    /// together after `latency`.
    #[must_use]
    pub fn latency(mut self, latency: std::time::Duration) -> Self {
        let inner = Arc::clone(&self.inner);
        self.queue = Some(Queue::start_slow(latency, move |request| {
            finish(&inner, request);
        }));
        self
    }

    /// The same disk with another size of logical blocks.
    #[must_use]
    pub fn block_size(mut self, bytes: u32) -> Self {
        self.geometry.block_size = bytes;
        self
    }

    /// Puts the disk behind the port, in the place of any other.
    ///
    /// # Panics
    /// When the port refuses it.
    pub fn install(&self) {
        *NEXT.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.clone());
        port::start(&CELL, &Options::default()).expect("the simulated disk starts");
    }

    /// The power fails during the `requests`-th write or flush from now: it is
    /// done in part, it and all later ones end with an error.
    pub fn fail_after(&self, requests: u64) {
        lock(&self.inner).fuse = Some(requests);
    }

    /// Whether the power has failed.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        lock(&self.inner).dead
    }

    /// When the power failed, if it has (ns).
    #[must_use]
    pub fn died_at(&self) -> Option<u64> {
        let inner = lock(&self.inner);
        inner.dead.then_some(inner.died_at)
    }

    /// No request is done from now on; of the writes on the way some sectors may
    /// be on the medium.
    pub fn kill(&self) {
        lock(&self.inner).die();
    }

    /// Lets requests that touch a place fail.
    pub fn inject(&self, fault: Fault) {
        lock(&self.inner).faults.push(fault);
    }

    /// No injected fault is left.
    pub fn heal(&self) {
        lock(&self.inner).faults.clear();
    }

    /// What the disk may hold after a power failure at this moment.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Image {
        lock(&self.inner).media.power_cut(seed)
    }

    /// What the disk holds when it is shut down in order.
    #[must_use]
    pub fn image(&self) -> Image {
        lock(&self.inner).media.current().clone()
    }

    /// Changes bytes behind the system's back: in the cache and on the medium.
    pub fn damage(&self, offset: u64, bytes: &[u8]) {
        lock(&self.inner).media.damage(offset, bytes);
    }

    /// Lets `trace` be told of every request that ends.
    pub fn set_trace(&self, trace: fn(core::fmt::Arguments<'_>)) {
        lock(&self.inner).trace = Some(trace);
    }

    /// What was done.
    #[must_use]
    pub fn counts(&self) -> Counts {
        lock(&self.inner).counts
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Does one request; the outcome.
    fn perform(&mut self, request: &Request) -> u16 {
        if self.dead {
            return DEVICE_LOST;
        }
        let len = request.data.as_ref().map_or(0, DmaBytes::len_of);
        let range = request.offset..request.offset + len;
        let hit = |f: &&mut Fault| {
            f.op == request.op
                && f.times > 0
                && (f.op == Op::Flush || (f.range.start < range.end && range.start < f.range.end))
        };
        if let Some(fault) = self.faults.iter_mut().find(hit) {
            fault.times -= 1;
            self.fail(request);
            return IO_ERROR;
        }
        if self.is_unlucky(request.op) {
            self.fail(request);
            return IO_ERROR;
        }
        if request.op != Op::Read && self.burn() {
            // The last write: in the cache, some of its sectors may survive.
            if let (Op::Write | Op::WriteDurable, Some(data)) = (request.op, &request.data) {
                self.media.write(request.offset, &image::copy_from(data));
            }
            self.die();
            return DEVICE_LOST;
        }
        match (request.op, &request.data) {
            (Op::Flush, _) => {
                self.counts.flushes += 1;
                self.media.flush();
            }
            (_, None) => return nvme_port::BAD_REQUEST,
            (_, Some(_)) if range.end > self.media.current().len() => {
                return nvme_port::BAD_REQUEST;
            }
            (Op::Read, Some(data)) => {
                self.counts.reads += 1;
                image::copy_to(&self.media.current().bytes(range), data);
            }
            (Op::Write, Some(data)) => {
                self.counts.writes += 1;
                self.media.write(range.start, &image::copy_from(data));
            }
            (Op::WriteDurable, Some(data)) => {
                self.counts.durable += 1;
                self.media
                    .write_durable(range.start, &image::copy_from(data));
            }
        }
        OK
    }

    fn burn(&mut self) -> bool {
        match &mut self.fuse {
            Some(0 | 1) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }
}

trait DmaBytes {
    fn len_of(&self) -> u64;
}

impl DmaBytes for memory::DmaSlice {
    fn len_of(&self) -> u64 {
        self.len() as u64
    }
}

impl Component for SimDisk {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl BlockDevice for SimDisk {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn submit(&self, _urgency: Urgency, requests: Vec<Request>) {
        let block = u64::from(self.geometry.block_size);
        for request in requests {
            let len = request.data.as_ref().map_or(0, DmaBytes::len_of);
            if !request.offset.is_multiple_of(block)
                || !len.is_multiple_of(block)
                || len > u64::from(self.geometry.max_transfer)
            {
                request.done.complete(nvme_port::BAD_REQUEST);
                continue;
            }
            let Some(request) = lock(&self.inner).hold.keep(request) else {
                continue;
            };
            match &self.queue {
                Some(queue) => queue.push(request),
                None if self.simulated => simulated::submit(&self.inner, request),
                None => finish(&self.inner, request),
            }
        }
    }

    fn poll(&self) {}
}

/// Does a request and ends it, memory first.
fn finish(inner: &Mutex<Inner>, request: Request) {
    let (outcome, trace) = {
        let mut inner = lock(inner);
        (inner.perform(&request), inner.trace)
    };
    if let Some(trace) = trace {
        let len = request.data.as_ref().map_or(0, DmaBytes::len_of);
        let (op, at) = (request.op, request.offset);
        trace(format_args!(
            "{op:?} of {len} at {at:#x}: outcome {outcome}"
        ));
    }
    let Request { data, done, .. } = request;
    drop(data);
    done.complete(outcome);
}

static NEXT: Mutex<Option<SimDisk>> = Mutex::new(None);

/// The disk as a cell.
pub static CELL: Cell = Cell {
    name: "nvme",
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&nvme_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let next = NEXT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let disk = next.ok_or_else(|| BirthError::Missing("no simulated disk to install".into()))?;
    birth.provide(&DISK, Box::new(disk));
    Ok(())
}
