//! A fake NVMe controller at register level: it watches the doorbells in the
//! memory that stands for its registers, reads commands and moves data at the
//! "physical" addresses, which on the host are the process's own, and posts
//! replies with phase bits. It has a volatile cache, picks the next command by
//! seed, and fails on demand. Written from the specification, not from the
//! driver: it checks what the driver must keep to.

use interrupts::IrqLine;
use memory::DeviceMemory;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

pub const BLOCK: usize = 512;
pub const PAGE: u64 = 4096;
pub const TABLE: usize = 0x2000;
pub const WINDOW: usize = 0x4000;

/// What a test can do to the controller while it runs.
#[derive(Default)]
pub struct Knobs {
    /// Statuses with which reads and writes of a block (any in their range)
    /// fail, one per try.
    pub errors: Mutex<HashMap<u64, VecDeque<u16>>>,
    /// So many commands are never answered.
    pub swallow: AtomicU32,
    /// Answer a command that was never given.
    pub senseless: AtomicBool,
    /// Fail as a whole.
    pub fatal: AtomicBool,
    /// Do not become ready any more.
    pub dead: AtomicBool,
    /// Execute no I/O command for now.
    pub pause: AtomicBool,
    /// Who waits for which message.
    pub lines: Mutex<Vec<Arc<IrqLine>>>,
    /// Commands executed, by opcode: flush, write, read.
    pub executed: [AtomicU32; 3],
    /// Doorbell writes seen on submission queues.
    pub rings: AtomicU32,
    /// Starting blocks in the order of execution, while `trace` is on.
    pub order: Mutex<Vec<u64>>,
    pub stop: AtomicBool,
}

/// What kind of controller it is.
#[derive(Clone, Copy)]
pub struct Model {
    pub blocks: u64,
    pub entries: u16,
    pub queues: u16,
    pub volatile_cache: bool,
    pub transfer_shift: u8,
    pub reorder: bool,
    pub seed: u64,
}

impl Default for Model {
    fn default() -> Self {
        Model {
            blocks: 65536,
            entries: 64,
            queues: 4,
            volatile_cache: true,
            transfer_shift: 5,
            reorder: true,
            seed: 1,
        }
    }
}

#[derive(Default)]
struct Completion {
    base: u64,
    depth: u16,
    tail: u16,
    phase: bool,
    vector: usize,
}

struct Submission {
    base: u64,
    depth: u16,
    head: u16,
    seen: u16,
    completion: u16,
}

struct Pending {
    queue: u16,
    entry: [u32; 16],
}

/// The disk's bytes: as the cache shows them, and as they survive the power.
pub struct Medium {
    pub cached: Vec<u8>,
    pub durable: Vec<u8>,
}

pub struct Fake {
    model: Model,
    registers: DeviceMemory,
    knobs: Arc<Knobs>,
    pub medium: Arc<Mutex<Medium>>,
    running: bool,
    submissions: BTreeMap<u16, Submission>,
    completions: BTreeMap<u16, Completion>,
    pending: Vec<Pending>,
    random: u64,
}

fn read_words<const N: usize>(at: u64) -> [u32; N] {
    assert_eq!(at % 4, 0, "{at:#x} is not aligned");
    // SAFETY: the driver gave this address as memory of at least this size and
    // keeps it until the command ends; volatile because it writes concurrently.
    core::array::from_fn(|i| unsafe { (at as *const u32).add(i).read_volatile() })
}

impl Fake {
    pub fn new(model: Model, physical: u64, knobs: Arc<Knobs>) -> Self {
        let registers = DeviceMemory::map(physical, WINDOW).unwrap();
        // MQES, contiguous queues, a limit of 1 s, NVM command set.
        let capabilities = u64::from(model.entries - 1) | 1 << 16 | 2 << 24 | 1 << 37;
        registers.write64(0, capabilities);
        registers.write32(8, 0x0001_0400);
        let bytes = model.blocks as usize * BLOCK;
        Fake {
            model,
            registers,
            knobs,
            medium: Arc::new(Mutex::new(Medium {
                cached: vec![0; bytes],
                durable: vec![0; bytes],
            })),
            running: false,
            submissions: BTreeMap::new(),
            completions: BTreeMap::new(),
            pending: Vec::new(),
            random: model.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        }
    }

    pub fn run(mut self) {
        while !self.knobs.stop.load(SeqCst) {
            if !self.step() {
                std::thread::yield_now();
            }
        }
    }

    fn draw(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) as usize % below
    }

    fn step(&mut self) -> bool {
        let enabled = self.registers.read32(0x14) & 1 != 0;
        if enabled != self.running {
            self.switch(enabled);
            return true;
        }
        if !self.running {
            return false;
        }
        if self.knobs.fatal.swap(false, SeqCst) {
            self.registers.write32(0x1c, 3);
        }
        if self.registers.read32(0x1c) & 2 != 0 {
            return false;
        }
        if self.registers.read32(0x14) >> 14 & 3 == 1 {
            let mut medium = self.medium.lock().unwrap();
            medium.durable = medium.cached.clone();
            self.registers.write32(0x1c, 1 | 2 << 2);
        }
        self.fetch() | self.work()
    }

    /// The driver has started or stopped it. Stopping forgets everything; what
    /// was pending may have been carried out or not.
    fn switch(&mut self, enabled: bool) {
        self.running = enabled;
        if !enabled {
            for at in (0x1000..TABLE).step_by(4) {
                self.registers.write32(at, 0);
            }
            for pending in std::mem::take(&mut self.pending) {
                if pending.queue != 0 && self.draw(2) == 0 {
                    self.data(&pending.entry);
                }
            }
            self.submissions.clear();
            self.completions.clear();
            self.registers.write32(0x1c, 0);
            return;
        }
        if self.knobs.dead.load(SeqCst) {
            // Not yet: it is looked at again with the next step.
            self.running = false;
            return;
        }
        assert_eq!(
            self.registers.read32(0x14) >> 16 & 0xff,
            0x46,
            "entry sizes"
        );
        let sizes = self.registers.read32(0x24);
        let depth = |bits: u32| (bits & 0xfff) as u16 + 1;
        let (submission, completion) = (self.registers.read64(0x28), self.registers.read64(0x30));
        self.add_completion(0, completion, depth(sizes >> 16), 0);
        self.add_submission(0, submission, depth(sizes), 0);
        self.registers.write32(0x1c, 1);
    }

    fn add_completion(&mut self, id: u16, base: u64, depth: u16, vector: usize) {
        assert_eq!(base % PAGE, 0);
        let queue = Completion {
            base,
            depth,
            tail: 0,
            phase: true,
            vector,
        };
        assert!(self.completions.insert(id, queue).is_none());
    }

    fn add_submission(&mut self, id: u16, base: u64, depth: u16, completion: u16) {
        assert_eq!(base % PAGE, 0);
        assert!(self.completions.contains_key(&completion));
        let queue = Submission {
            base,
            depth,
            head: 0,
            seen: 0,
            completion,
        };
        assert!(self.submissions.insert(id, queue).is_none());
    }

    /// Reads new commands.
    fn fetch(&mut self) -> bool {
        let before = self.pending.len();
        for (id, queue) in &mut self.submissions {
            let tail = self.registers.read32(0x1000 + 8 * usize::from(*id)) as u16;
            assert!(tail < queue.depth, "doorbell {id} shows {tail}");
            if tail != queue.seen && *id != 0 {
                self.knobs.rings.fetch_add(1, SeqCst);
            }
            queue.seen = tail;
            while queue.head != tail {
                let entry = read_words(queue.base + 64 * u64::from(queue.head));
                queue.head = (queue.head + 1) % queue.depth;
                self.pending.push(Pending { queue: *id, entry });
            }
        }
        self.pending.len() != before
    }

    /// Carries out one command.
    fn work(&mut self) -> bool {
        let pause = self.knobs.pause.load(SeqCst);
        let ready: Vec<usize> = (0..self.pending.len())
            .filter(|i| !(pause && self.pending[*i].queue != 0))
            .collect();
        if ready.is_empty() {
            return false;
        }
        let pick = if self.model.reorder {
            self.draw(ready.len())
        } else {
            0
        };
        let queue = self.pending[ready[pick]].queue;
        if !self.has_room(queue) {
            return false;
        }
        let Pending { queue, entry } = self.pending.remove(ready[pick]);
        let id = (entry[0] >> 16) as u16;
        if queue == 0 {
            let (result, status) = self.admin(&entry);
            self.reply(0, id, result, status);
            return true;
        }
        let swallow = &self.knobs.swallow;
        if swallow
            .fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1))
            .is_ok()
        {
            return true;
        }
        if self.knobs.senseless.swap(false, SeqCst) {
            self.reply(queue, 0x7fff, 0, 0);
            return true;
        }
        let status = self.data(&entry);
        self.reply(queue, id, 0, status);
        true
    }

    fn has_room(&self, queue: u16) -> bool {
        let id = self.submissions[&queue].completion;
        let completion = &self.completions[&id];
        let head = self.registers.read32(0x1000 + 8 * usize::from(id) + 4) as u16;
        (completion.tail + 1) % completion.depth != head
    }

    fn reply(&mut self, queue: u16, id: u16, result: u32, status: u16) {
        let submission = &self.submissions[&queue];
        let completion = self.completions.get_mut(&submission.completion).unwrap();
        let at = completion.base + 16 * u64::from(completion.tail);
        let last = u32::from(id) | u32::from(completion.phase) << 16 | u32::from(status) << 17;
        let head = u32::from(queue) << 16 | u32::from(submission.head);
        for (word, value) in [(0, result), (2, head), (3, last)] {
            // SAFETY: the driver gave this ring of `depth` entries and keeps it
            // until the controller is stopped.
            unsafe { (at as *mut u32).add(word).write_volatile(value) };
            std::sync::atomic::fence(SeqCst);
        }
        completion.tail = (completion.tail + 1) % completion.depth;
        completion.phase ^= completion.tail == 0;
        self.interrupt(submission.completion);
    }

    fn interrupt(&self, completion: u16) {
        let at = TABLE + 16 * self.completions[&completion].vector;
        let word = |n: usize| self.registers.read32(at + 4 * n);
        if completion == 0 || word(3) & 1 != 0 {
            return;
        }
        let message = (u64::from(word(1)) << 32 | u64::from(word(0)), word(2));
        let lines = self.knobs.lines.lock().unwrap();
        if let Some(line) = lines.iter().find(|l| l.message() == message) {
            line.raise();
        }
    }

    fn admin(&mut self, e: &[u32; 16]) -> (u32, u16) {
        let page = u64::from(e[7]) << 32 | u64::from(e[6]);
        let (id, size) = (e[10] as u16, (e[10] >> 16) as u16);
        match e[0] & 0xff {
            0x06 => return (0, self.identify(e[10] & 0xff, e[1], page)),
            0x09 if e[10] & 0xff == 7 => {
                let granted = (e[11] & 0xffff).min(u32::from(self.model.queues - 1));
                return (granted << 16 | granted, 0);
            }
            0x05 => {
                assert!(id >= 1 && id <= self.model.queues && size < self.model.entries);
                assert_eq!(e[11] & 3, 3, "contiguous, with interrupts");
                self.add_completion(id, page, size + 1, (e[11] >> 16) as usize);
            }
            0x01 => {
                assert!(size < self.model.entries && e[11] & 1 == 1);
                self.add_submission(id, page, size + 1, (e[11] >> 16) as u16);
            }
            opcode => panic!("admin command {opcode:#x}"),
        }
        (0, 0)
    }

    fn identify(&self, about: u32, namespace: u32, page: u64) -> u16 {
        let mut bytes = [0u8; 4096];
        match (about, namespace) {
            (1, _) => {
                bytes[4..24].copy_from_slice(b"SN 0001             ");
                bytes[24..64].copy_from_slice(b"Fake controller                         ");
                bytes[64..72].copy_from_slice(b"1.0     ");
                bytes[77] = self.model.transfer_shift;
                bytes[525] = u8::from(self.model.volatile_cache);
            }
            (2, _) => bytes[..4].copy_from_slice(&3u32.to_le_bytes()),
            (0, 3) => {
                bytes[..8].copy_from_slice(&self.model.blocks.to_le_bytes());
                // The second format is in use: no metadata, blocks of 2^9.
                bytes[26] = 1;
                bytes[128..132].copy_from_slice(&(12u32 << 16).to_le_bytes());
                bytes[132..136].copy_from_slice(&(9u32 << 16).to_le_bytes());
            }
            _ => return 0x400b,
        }
        // SAFETY: the driver gave a page for the answer.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), page as *mut u8, 4096) };
        0
    }

    /// The memory that a data command names: address and bytes of each piece.
    fn pieces(&self, e: &[u32; 16], mut len: u64) -> Vec<(u64, usize)> {
        let (first, second) = (
            u64::from(e[7]) << 32 | u64::from(e[6]),
            u64::from(e[9]) << 32 | u64::from(e[8]),
        );
        let head = (PAGE - first % PAGE).min(len);
        let mut pieces = vec![(first, head as usize)];
        len -= head;
        let rest = len.div_ceil(PAGE);
        for page in 0..rest {
            let at = match rest {
                1 => second,
                _ => {
                    assert_eq!(second % 8, 0);
                    assert!(second % PAGE + rest * 8 <= PAGE, "a list crosses its page");
                    let words: [u32; 2] = read_words(second + 8 * page);
                    u64::from(words[1]) << 32 | u64::from(words[0])
                }
            };
            assert_eq!(at % PAGE, 0, "page {page} of a list is not aligned");
            pieces.push((at, len.min(PAGE) as usize));
            len -= len.min(PAGE);
        }
        pieces
    }

    fn data(&mut self, e: &[u32; 16]) -> u16 {
        let opcode = e[0] & 0xff;
        assert_eq!(e[1], 3, "namespace");
        assert!(opcode < 3, "I/O command {opcode:#x}");
        self.knobs.executed[opcode as usize].fetch_add(1, SeqCst);
        let mut medium = self.medium.lock().unwrap();
        if opcode == 0 {
            medium.durable = medium.cached.clone();
            return 0;
        }
        let block = u64::from(e[11]) << 32 | u64::from(e[10]);
        let count = u64::from(e[12] & 0xffff) + 1;
        self.knobs.order.lock().unwrap().push(block);
        if block + count > self.model.blocks {
            return 0x4080;
        }
        let bytes = count * BLOCK as u64;
        assert!(bytes <= PAGE << self.model.transfer_shift, "too long");
        let mut errors = self.knobs.errors.lock().unwrap();
        for bad in block..block + count {
            if let Some(status) = errors.get_mut(&bad).and_then(VecDeque::pop_front) {
                return status;
            }
        }
        let start = block as usize * BLOCK;
        let mut at = start;
        for (address, len) in self.pieces(e, bytes) {
            let place = &mut medium.cached[at..at + len];
            // SAFETY: the driver gave this memory for the command and keeps it
            // until the command ends or the controller is stopped.
            unsafe {
                match opcode {
                    1 => core::ptr::copy(address as *const u8, place.as_mut_ptr(), len),
                    _ => core::ptr::copy(place.as_ptr(), address as *mut u8, len),
                }
            }
            at += len;
        }
        if opcode == 1 && (e[12] >> 30 & 1 != 0 || !self.model.volatile_cache) {
            let Medium { cached, durable } = &mut *medium;
            durable[start..at].copy_from_slice(&cached[start..at]);
        }
        0
    }
}
