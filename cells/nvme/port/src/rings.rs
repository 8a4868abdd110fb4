//! The state of one queue: its rings in memory, the commands the device has, the
//! jobs that wait for room and those that have ended.
//!
//! A job is at every moment in exactly one of these places, and moves between
//! them in this crate alone: if the driver faults, no job was on its stack.

use crate::{Finished, Job, Load, Op, Outcome, Request, Urgency};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::{DmaRegion, OutOfMemory};

/// Bytes of a submission entry.
pub const SUBMISSION_BYTES: usize = 64;
/// Strikes at which a job is given up.
pub const STRIKES_OUT: u8 = 16;
/// Bytes of a completion entry.
pub const COMPLETION_BYTES: usize = 16;

/// Memory shared with the device, read and written by whole words. Accesses
/// outside it read zero and write nothing.
#[derive(Debug)]
pub struct DmaWords(Arc<DmaRegion>);

impl DmaWords {
    /// At least `len` zeroed bytes.
    ///
    /// # Errors
    /// When there is no such memory.
    pub fn allocate(len: usize) -> Result<Self, OutOfMemory> {
        DmaRegion::allocate(len).map(DmaWords)
    }

    /// The address for the device.
    #[must_use]
    pub fn physical(&self) -> u64 {
        self.0.physical()
    }

    /// Reads the 32-bit word at byte `offset`, a multiple of 4.
    #[inline]
    #[must_use]
    pub fn read32(&self, offset: usize) -> u32 {
        debug_assert!(offset.is_multiple_of(4));
        if offset & 3 != 0 || offset >= self.0.len() {
            return 0;
        }
        // SAFETY: the region has whole pages, so an aligned word that starts
        // inside ends inside; volatile because the device writes it. No Rust
        // reference to the region exists.
        unsafe { self.0.as_ptr().add(offset).cast::<u32>().read_volatile() }
    }

    /// Writes the 64-bit word at byte `offset`, a multiple of 8.
    #[inline]
    pub fn write64(&mut self, offset: usize, value: u64) {
        debug_assert!(offset.is_multiple_of(8));
        if offset & 7 != 0 || offset >= self.0.len() {
            return;
        }
        // SAFETY: as in `read32`; `&mut self` keeps other writers away.
        unsafe {
            self.0
                .as_ptr()
                .add(offset)
                .cast::<u64>()
                .write_volatile(value)
        }
    }

    /// Writes a submission entry into place `index`.
    #[inline]
    pub fn write_entry(&mut self, index: u16, entry: &[u64; 8]) {
        let offset = usize::from(index) * SUBMISSION_BYTES;
        if offset + SUBMISSION_BYTES > self.0.len() {
            return;
        }
        // SAFETY: the whole entry lies inside, and the region starts on a page;
        // otherwise as in `write64`.
        unsafe {
            let place = self.0.as_ptr().add(offset).cast::<[u64; 8]>();
            place.write_volatile(*entry);
        }
    }

    /// Fills it with zeros.
    pub fn clear(&mut self) {
        for offset in (0..self.0.len()).step_by(8) {
            self.write64(offset, 0);
        }
    }
}

/// A submission ring and its completion ring.
#[derive(Debug)]
pub struct RingPair {
    /// Entries of 64 bytes.
    pub submissions: DmaWords,
    /// Entries of 16 bytes.
    pub completions: DmaWords,
    /// Entries of each.
    pub depth: u16,
    /// Where the next submission goes.
    pub tail: u16,
    /// Where the next completion is expected.
    pub head: u16,
    /// The phase bit of new completions.
    pub phase: bool,
}

impl RingPair {
    /// Empty rings of `depth` entries.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub fn allocate(depth: u16) -> Result<Self, OutOfMemory> {
        Ok(RingPair {
            submissions: DmaWords::allocate(usize::from(depth) * SUBMISSION_BYTES)?,
            completions: DmaWords::allocate(usize::from(depth) * COMPLETION_BYTES)?,
            depth,
            tail: 0,
            head: 0,
            phase: true,
        })
    }

    /// Makes them as new. The device must not be using them.
    pub fn reset(&mut self) {
        self.completions.clear();
        self.tail = 0;
        self.head = 0;
        self.phase = true;
    }
}

/// Whether a queue hands commands to the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// No: the controller is being reset. Jobs wait.
    Halted,
    /// Yes.
    Live,
    /// Never again: jobs end at once.
    Lost,
}

/// A command the device has: one job, or several that lie side by side.
#[derive(Debug)]
pub struct Command {
    /// The job at the lowest offset.
    pub first: Job,
    /// Those after it.
    pub more: Vec<Job>,
    /// The round of health checks in which it was handed over
    /// ([`crate::Queue::rounds`]).
    pub round: u64,
}

impl Command {
    /// All its jobs, by offset.
    #[inline]
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        core::iter::once(&self.first).chain(&self.more)
    }
}

/// Everything a queue holds.
#[derive(Debug)]
pub struct Rings {
    /// The rings in memory.
    pub ring: RingPair,
    /// One list of page addresses per command.
    pub lists: DmaWords,
    /// Whether the device is to be given commands.
    pub mode: Mode,
    commands: Box<[Option<Command>]>,
    free: Vec<u16>,
    waiting: [VecDeque<Job>; Urgency::COUNT],
    finished: VecDeque<Finished>,
    /// What was handed over since the start: the sums of a [`Load`].
    done: Load,
}

impl Rings {
    /// An empty queue of `depth` entries, with `list_bytes` for each command's
    /// list of pages.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn allocate(depth: u16, list_bytes: usize) -> Result<Self, OutOfMemory> {
        // One less than the ring has entries: a full ring looks like an empty one.
        let commands = depth.saturating_sub(1).max(1);
        Ok(Rings {
            ring: RingPair::allocate(depth)?,
            lists: DmaWords::allocate(usize::from(commands) * list_bytes)?,
            mode: Mode::Halted,
            commands: (0..commands).map(|_| None).collect(),
            free: (0..commands).rev().collect(),
            waiting: [const { VecDeque::new() }; Urgency::COUNT],
            finished: VecDeque::new(),
            done: Load::default(),
        })
    }

    /// Takes jobs in; they wait.
    #[inline]
    pub fn accept(&mut self, urgency: Urgency, requests: Vec<Request>) {
        let queue = &mut self.waiting[urgency as usize];
        for request in requests {
            queue.push_back(Job {
                request,
                urgency,
                strikes: 0,
            });
        }
    }

    /// The urgency of the most urgent job that waits.
    #[inline]
    #[must_use]
    pub fn most_urgent(&self) -> Option<Urgency> {
        Urgency::ALL
            .into_iter()
            .rev()
            .find(|u| !self.waiting[*u as usize].is_empty())
    }

    /// The next job of that urgency.
    #[inline]
    #[must_use]
    pub fn front(&self, urgency: Urgency) -> Option<&Job> {
        self.waiting[urgency as usize].front()
    }

    /// Makes the next waiting job a command and gives its number; `None` when
    /// no job waits or no number is free.
    #[inline]
    pub fn begin(&mut self, urgency: Urgency, round: u64) -> Option<u16> {
        let queue = &mut self.waiting[urgency as usize];
        let id = *self.free.last()?;
        let slot = self.commands.get_mut(usize::from(id))?;
        let first = queue.pop_front()?;
        debug_assert!(slot.is_none());
        self.done.commands[urgency as usize] += 1;
        self.done.durable += u64::from(matches!(first.request.op, Op::Flush | Op::WriteDurable));
        *slot = Some(Command {
            first,
            more: Vec::new(),
            round,
        });
        self.free.pop();
        Some(id)
    }

    /// Adds the next waiting job to command `id`.
    pub fn join(&mut self, id: u16, urgency: Urgency) {
        let command = self.commands.get_mut(usize::from(id));
        if let Some(Some(command)) = command
            && let Some(job) = self.waiting[urgency as usize].pop_front()
        {
            command.more.push(job);
            self.done.merged += 1;
        }
    }

    /// What it is busy with, and has done since the start.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            in_flight: self.in_flight() as u64,
            waiting: self.waiting() as u64,
            ..self.done
        }
    }

    /// Command `id`, if the device has it.
    #[inline]
    #[must_use]
    pub fn command(&self, id: u16) -> Option<&Command> {
        self.commands.get(usize::from(id))?.as_ref()
    }

    /// Command `id` and the lists of pages, of which it owns one.
    #[inline]
    #[must_use]
    pub fn command_and_lists(&mut self, id: u16) -> Option<(&Command, &mut DmaWords)> {
        let command = self.commands.get(usize::from(id))?.as_ref()?;
        Some((command, &mut self.lists))
    }

    /// How many commands the device has.
    #[inline]
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.commands.len() - self.free.len()
    }

    /// The most commands the device can have.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.commands.len()
    }

    /// How many jobs wait for room.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }

    /// The round in which the oldest command was handed over.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        self.commands.iter().flatten().map(|c| c.round).min()
    }

    #[inline]
    fn take(&mut self, id: u16) -> Option<Command> {
        let command = self.commands.get_mut(usize::from(id))?.take()?;
        self.free.push(id);
        Some(command)
    }

    /// Ends command `id` with `outcome`; `status` is what the device said.
    #[inline]
    pub fn finish(&mut self, id: u16, outcome: Outcome, status: u16) {
        let Some(command) = self.take(id) else {
            return;
        };
        self.finished.push_back(Finished {
            request: command.first.request,
            outcome,
            status,
        });
        if !command.more.is_empty() {
            let jobs = command.more.into_iter().map(|job| Finished {
                request: job.request,
                outcome,
                status,
            });
            self.finished.extend(jobs);
        }
    }

    /// Lets the jobs of command `id` wait again, before all others of their
    /// urgency, each with so many more strikes; those that reach
    /// [`STRIKES_OUT`] end with `outcome`.
    pub fn again(&mut self, id: u16, strikes: u8, outcome: Outcome, status: u16) {
        let Some(command) = self.take(id) else {
            return;
        };
        // The last first, so that they stand in their order.
        for mut job in command
            .more
            .into_iter()
            .rev()
            .chain(core::iter::once(command.first))
        {
            job.strikes = job.strikes.saturating_add(strikes);
            // Ended already when a fault struck between that and forgetting it:
            // its memory may serve something else by now.
            if job.request.done.poll().is_some() {
                continue;
            }
            if job.strikes >= STRIKES_OUT {
                self.finished.push_back(Finished {
                    request: job.request,
                    outcome,
                    status,
                });
            } else {
                self.waiting[job.urgency as usize].push_front(job);
            }
        }
    }

    /// Takes all commands back, each with the strikes that `weigh` gives it: the
    /// device has forgotten them. The rings are as new.
    pub fn collect(&mut self, weigh: impl Fn(&Command) -> u8, outcome: Outcome) {
        let mut ids: Vec<(u64, u16, u8)> = Vec::with_capacity(self.commands.len());
        for (id, command) in self.commands.iter().enumerate() {
            ids.extend(command.as_ref().map(|c| (c.round, id as u16, weigh(c))));
        }
        // The oldest is put back last and so stands first.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        for (_, id, strikes) in ids {
            self.again(id, strikes, outcome, 0);
        }
        self.free.clear();
        self.free.extend((0..self.commands.len() as u16).rev());
        self.ring.reset();
    }

    /// Ends every job, here and with the device.
    pub fn fail_all(&mut self, outcome: Outcome) {
        for id in 0..self.commands.len() as u16 {
            self.finish(id, outcome, 0);
        }
        for jobs in &mut self.waiting {
            self.finished.extend(jobs.drain(..).map(|job| Finished {
                request: job.request,
                outcome,
                status: 0,
            }));
        }
    }

    /// The next ended job to be told ([`crate::deliver`]), and whether there are
    /// more.
    #[inline]
    pub fn next_finished(&mut self) -> (Option<Finished>, bool) {
        let next = self.finished.pop_front();
        (next, !self.finished.is_empty())
    }
}
