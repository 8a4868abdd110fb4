//! Simulated time and scheduling, for tests on the host: everything that tasks do
//! follows from one seed.
//!
//! Within [`run`] a task is still a thread, but exactly one of them has the baton
//! and runs. It passes the baton on where it parks, sleeps, yields, ends, and at
//! the places marked by [`crate::interleave`]; who is next, a seeded generator
//! chooses. Time stands still but for a little at each such place; when nobody
//! can run, it jumps to the next moment that somebody sleeps until. [`at`] calls a
//! function at a moment, as an interrupt would: devices are made of that.
//!
//! When nobody can run and nobody sleeps, or when nothing was noted by
//! [`progress`] for long, every task reports where it stands, and the process
//! ends with [`STUCK`]. What happened is folded into a hash: the same program and
//! seed give the same hash. Threads that are not of the simulation do not notice
//! it. A world of tasks ends with the function given to [`run`]; tasks that are
//! left then never run again.

mod random;
mod report;
#[cfg(test)]
mod tests;

pub use report::give_up;

use crate::imp::TaskRef;
use random::Random;
use report::report;
use std::boxed::Box;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::string::String;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

/// What the process ends with when no task can go on.
pub const STUCK: i32 = 3;

/// Nanoseconds that pass at a place where another task may run.
const STEP: u64 = 200;
/// Nanoseconds that pass at a yield.
const YIELD: u64 = 2_000;
/// Microseconds since 1970 at the beginning of a simulation.
const EPOCH_US: i64 = 1_767_225_600_000_000;

/// How a simulation goes.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// At one in so many places another task is let run.
    pub switch: u64,
    /// Tasks differ in how often they are chosen.
    pub unfair: bool,
    /// Simulated nanoseconds without [`progress`] after which all is over.
    pub patience: u64,
}

impl Plan {
    /// A plan of `seed`, with the rest of it chosen by the seed, too.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = Random(seed ^ 0x5C4E_D01E);
        Plan {
            seed,
            switch: [3, 10, 30, 100, 300][random.below(5)],
            unfair: random.below(3) == 0,
            patience: 600_000_000_000,
        }
    }
}

/// What became of a simulation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Of everything that happened.
    pub hash: u64,
    /// Places passed at which another task might have run.
    pub steps: u64,
    /// How often another one did.
    pub switches: u64,
    /// Nanoseconds of simulated time.
    pub time: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Parked,
    Ended,
}

/// The right to run, handed to one thread.
#[derive(Default)]
struct Baton {
    here: Mutex<bool>,
    given: Condvar,
}

impl Baton {
    fn give(&self) {
        *lock(&self.here) = true;
        self.given.notify_one();
    }

    fn wait(&self) {
        let here = self.given.wait_while(lock(&self.here), |here| !*here);
        *here.unwrap_or_else(PoisonError::into_inner) = false;
    }
}

struct Task {
    name: String,
    state: State,
    token: bool,
    deadline: Option<u64>,
    weight: usize,
    baton: Arc<Baton>,
}

type Event = Box<dyn FnOnce() + Send>;

struct World {
    plan: Plan,
    random: Random,
    now: u64,
    tasks: Vec<Task>,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    /// The earliest moment at which an event or a sleeper is due.
    due: u64,
    progress: u64,
    outcome: Outcome,
}

static WORLD: Mutex<Option<World>> = Mutex::new(None);
/// One simulation at a time.
static ONE: Mutex<()> = Mutex::new(());
std::thread_local! {
    /// The task of the simulation that this thread is.
    static ME: Cell<Option<usize>> = const { Cell::new(None) };
    /// An event is being handled: nothing here may wait.
    static IN_EVENT: Cell<bool> = const { Cell::new(false) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running thread's place in the simulation, if it has one.
#[inline]
pub(crate) fn me() -> Option<usize> {
    ME.try_with(Cell::get).unwrap_or(None)
}

fn with<R>(f: impl FnOnce(&mut World) -> R) -> Option<R> {
    lock(&WORLD).as_mut().map(f)
}

impl World {
    fn mix(&mut self, values: [u64; 3]) {
        for value in values {
            // FNV-1a over words (Fowler, Noll, Vo).
            self.outcome.hash = (self.outcome.hash ^ value).wrapping_mul(0x100_0000_01B3);
            self.outcome.hash ^= self.outcome.hash >> 29;
        }
    }

    fn add(&mut self, name: &str) -> usize {
        let weight = match self.plan.unfair {
            true => [1, 1, 5, 25][self.random.below(4)],
            false => 1,
        };
        self.tasks.push(Task {
            name: String::from(name),
            state: State::Ready,
            token: false,
            deadline: None,
            weight,
            baton: Arc::default(),
        });
        self.tasks.len() - 1
    }

    fn is_stuck(&self) -> bool {
        self.now > self.progress + self.plan.patience
    }

    fn set_due(&mut self) {
        let event = self.events.keys().next().map(|k| k.0);
        let asleep = self.tasks.iter().filter(|t| t.state == State::Parked);
        let sleeper = asleep.filter_map(|t| t.deadline).min();
        let due = event.into_iter().chain(sleeper).min();
        self.due = due.unwrap_or(u64::MAX);
    }

    /// Wakes the sleepers whose time has come, and gives the events of which the
    /// same is true.
    fn ripe(&mut self) -> Vec<Event> {
        for task in &mut self.tasks {
            if task.state == State::Parked && task.deadline.is_some_and(|d| d <= self.now) {
                task.state = State::Ready;
                task.deadline = None;
            }
        }
        let mut ripe = Vec::new();
        while let Some(first) = self.events.first_entry() {
            if first.key().0 > self.now {
                break;
            }
            ripe.push(first.remove());
        }
        self.set_due();
        ripe
    }

    fn pick(&mut self) -> Option<usize> {
        let ready = |t: &&Task| t.state == State::Ready;
        let total: usize = self.tasks.iter().filter(ready).map(|t| t.weight).sum();
        if total == 0 {
            return None;
        }
        let mut at = self.random.below(total);
        self.tasks.iter().position(|task| {
            if task.state != State::Ready {
                return false;
            }
            let here = at < task.weight;
            at = at.wrapping_sub(task.weight);
            here
        })
    }
}

/// Chooses who runs next; time passes until somebody can. None when nobody will.
fn choose() -> Option<usize> {
    loop {
        let ripe = with(World::ripe)?;
        IN_EVENT.set(true);
        ripe.into_iter().for_each(|event| event());
        IN_EVENT.set(false);
        let next = with(|world| {
            if world.is_stuck() {
                return Some(None);
            }
            if let Some(next) = world.pick() {
                return Some(Some(next));
            }
            world.set_due();
            if world.due == u64::MAX {
                return Some(None);
            }
            world.now = world.now.max(world.due);
            None
        })?;
        if let Some(next) = next {
            return next;
        }
    }
}

/// Passes the baton on, and waits for it unless the task has `ended`.
fn pass(me: usize, ended: bool) {
    let Some(next) = choose() else {
        report(0);
    };
    if next == me && !ended {
        return;
    }
    let Some((mine, other)) = with(|world| {
        world.outcome.switches += 1;
        let now = world.now;
        world.mix([me as u64, next as u64, now]);
        let baton = |at: usize| Arc::clone(&world.tasks[at].baton);
        (baton(me), baton(next))
    }) else {
        return;
    };
    other.give();
    if !ended {
        wait(me, &mine);
    }
}

fn wait(me: usize, baton: &Baton) {
    baton.wait();
    if report::is_reporting() {
        report::say_where(me);
        report(me + 1);
    }
}

/// Runs `body` as the first task of a world of its own, on this thread.
///
/// # Panics
/// Within a simulation.
pub fn run<R>(plan: Plan, body: impl FnOnce() -> R) -> (R, Outcome) {
    assert!(me().is_none(), "a simulation within a simulation");
    let _one = lock(&ONE);
    cpu::set_relax(relax);
    let outcome = Outcome {
        hash: 0xCBF2_9CE4_8422_2325,
        steps: 0,
        switches: 0,
        time: 0,
    };
    let mut world = World {
        plan,
        random: Random(plan.seed),
        now: 1_000_000,
        tasks: Vec::new(),
        events: BTreeMap::new(),
        next_event: 0,
        due: u64::MAX,
        progress: 0,
        outcome,
    };
    let first = world.add("main");
    *lock(&WORLD) = Some(world);
    ME.set(Some(first));
    let result = body();
    ME.set(None);
    let world = lock(&WORLD).take();
    let outcome = world.map_or(outcome, |w| Outcome {
        time: w.now,
        ..w.outcome
    });
    (result, outcome)
}

/// Calls `event` in `delay` nanoseconds, as an interrupt handler is called: it
/// must not wait. Outside a simulation it is called at once.
pub fn after(delay: u64, event: impl FnOnce() + Send + 'static) {
    if me().is_none() {
        return event();
    }
    with(|world| {
        let time = world.now + delay;
        world.next_event += 1;
        world
            .events
            .insert((time, world.next_event), Box::new(event));
        world.due = world.due.min(time);
    });
}

/// Whether the calling thread is a task of a simulation.
#[must_use]
pub fn is_running() -> bool {
    me().is_some()
}

/// Folds something into the hash.
pub fn note(value: u64) {
    with(|world| {
        let now = world.now;
        world.mix([u64::MAX, value, now]);
    });
}

/// Says that what the simulation is for goes on.
pub fn progress() {
    with(|world| world.progress = world.now);
}

/// A number from the simulation's generator, below `limit`.
#[must_use]
pub fn random(limit: u64) -> u64 {
    with(|world| world.random.next() % limit.max(1)).unwrap_or(0)
}

pub(crate) fn now() -> u64 {
    with(|world| world.now).unwrap_or(0)
}

pub(crate) fn wall_clock_us() -> i64 {
    EPOCH_US + i64::try_from(now() / 1_000).unwrap_or(0)
}

pub(crate) fn park(me: usize, deadline: Option<u64>) {
    assert!(!IN_EVENT.get(), "an event waits");
    let parked = with(|world| {
        let task = &mut world.tasks[me];
        if core::mem::take(&mut task.token) {
            return;
        }
        task.state = State::Parked;
        task.deadline = deadline;
        world.due = world.due.min(deadline.unwrap_or(u64::MAX));
    });
    if parked.is_some() {
        pass(me, false);
        with(|world| world.tasks[me].token = false);
    }
}

pub(crate) fn unpark(task: usize) {
    with(|world| {
        let now = world.now;
        world.mix([1 << 32, task as u64, now]);
        if let Some(task) = world.tasks.get_mut(task) {
            task.token = true;
            if task.state == State::Parked {
                task.state = State::Ready;
                task.deadline = None;
            }
        }
    });
}

pub(crate) fn sleep(me: usize, ns: u64) {
    let deadline = now().saturating_add(ns);
    while now() < deadline {
        // Unlike a park, a sleep is not ended by an unpark.
        park(me, Some(deadline));
    }
}

pub(crate) fn yield_now(me: usize) {
    if !IN_EVENT.get() {
        with(|world| world.now += YIELD);
        pass(me, false);
    }
}

fn relax() -> bool {
    let Some(me) = me() else {
        return false;
    };
    assert!(!IN_EVENT.get(), "an event spins for a lock");
    yield_now(me);
    true
}

/// A place where another task may run.
#[cold]
pub(crate) fn interleave(me: usize) {
    if IN_EVENT.get() {
        return;
    }
    let leave = with(|world| {
        world.now += STEP;
        world.outcome.steps += 1;
        let stuck = world.is_stuck();
        let chance = world.random.next().is_multiple_of(world.plan.switch);
        (stuck, chance || world.due <= world.now)
    });
    match leave {
        Some((true, _)) => report(0),
        Some((_, true)) => pass(me, false),
        _ => {}
    }
}

/// Adds a task that does not run yet; `enter` is called on its thread.
pub(crate) fn add(name: &str) -> Option<usize> {
    with(|world| world.add(name))
}

/// Makes the calling thread the task `me`, waiting for its turn.
pub(crate) fn enter(me: usize) {
    ME.set(Some(me));
    if let Some(baton) = with(|world| Arc::clone(&world.tasks[me].baton)) {
        wait(me, &baton);
    }
}

/// The task of the calling thread has ended.
pub(crate) fn leave(me: usize) {
    with(|world| world.tasks[me].state = State::Ended);
    pass(me, true);
    ME.set(None);
}

/// All tasks that have not ended.
#[must_use]
pub fn tasks() -> Vec<String> {
    let names = |world: &mut World| {
        let alive = world.tasks.iter().filter(|t| t.state != State::Ended);
        alive.map(|t| t.name.clone()).collect()
    };
    with(names).unwrap_or_default()
}

/// Waits until `task` has ended.
pub fn join(task: &TaskRef) {
    let ended = || {
        let at = task.place()?;
        with(|world| world.tasks[at].state == State::Ended)
    };
    while ended() == Some(false) {
        crate::sleep(200_000);
    }
}
