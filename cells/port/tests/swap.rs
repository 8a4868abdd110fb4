//! Swaps of ports with threads for callers: under load, refused, with callers
//! inside, with faults on command.

use port::{
    Birth, BirthError, Cell, CellCode, CellRef, Component, CrashKind, Door, DoorRef, Options, Port,
    PortError, State, SwapError,
};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// A second on the tasks' clock.
const SECOND: u64 = 1_000_000_000;

fn soon() -> u64 {
    task_port::now() + 20_000_000
}

fn patiently() -> u64 {
    task_port::now() + 60 * SECOND
}

/// A provider that tells its number.
trait Number: Component {
    fn number(&self) -> u64;
}

struct Fixed(u64);

impl Component for Fixed {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Number for Fixed {
    fn number(&self) -> u64 {
        self.0
    }
}

/// Code that says when it is unloaded.
struct Code(Arc<AtomicU64>);

impl CellCode for Code {
    fn name(&self) -> &str {
        "number"
    }
    fn version(&self) -> &str {
        "1"
    }
    fn size(&self) -> usize {
        1
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

type NumberPort = Port<dyn Number>;

fn stage(port: &'static NumberPort, number: u64) -> Arc<AtomicU64> {
    let unloaded = Arc::new(AtomicU64::new(0));
    let code = CellRef(Arc::new(Code(Arc::clone(&unloaded))));
    Birth::new(code, &Options::default(), Vec::new()).provide(port, Box::new(Fixed(number)));
    unloaded
}

/// A port of its own for a test, with provider 1 behind it.
fn started() -> &'static NumberPort {
    let port = Box::leak(Box::new(Port::new("number")));
    drop(stage(port, 1));
    port.flip().unwrap();
    port.open();
    port
}

/// A thread that is inside `port` until told to leave.
fn visitor(port: &'static NumberPort) -> (mpsc::Sender<()>, thread::JoinHandle<u64>) {
    let (entered, is_in) = mpsc::channel();
    let (leave, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        let inside = port.enter().unwrap();
        entered.send(()).unwrap();
        told.recv().unwrap();
        inside.number()
    });
    is_in.recv().unwrap();
    (leave, thread)
}

/// Whether a thread is blocked in `enter` of a closed port: it has not come back
/// after a while. The only way to be wrong is not to notice an error.
fn waits<T>(thread: &thread::JoinHandle<T>) -> bool {
    thread::sleep(Duration::from_millis(20));
    !thread.is_finished()
}

/// Counters that are swapped a thousand times lose no increment.
#[test]
fn a_swap_under_load_keeps_the_count() {
    use counter_port::COUNTER;
    let options = Options::default();
    port::start(&counter::CELL, &options).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let mut done = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    COUNTER.enter().unwrap().increment();
                    done += 1;
                }
                done
            })
        })
        .collect();
    for _ in 0..1_000 {
        COUNTER.close();
        COUNTER.drain(patiently()).unwrap();
        let state = COUNTER.export().unwrap().unwrap();
        let code = CellRef(Arc::new(Code(Arc::default())));
        let mut birth = Birth::new(code, &options, vec![("counter", state)]);
        (counter::CELL.birth)(&mut birth).unwrap();
        COUNTER.flip().unwrap();
        COUNTER.open();
        COUNTER.retire(patiently()).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let calls: u64 = callers.into_iter().map(|c| c.join().unwrap()).sum();
    assert_eq!(COUNTER.enter().unwrap().get(), calls);
    let status = COUNTER.status();
    assert_eq!((status.generation, status.inflight), (1_001, 0));
    assert!(!status.closed);
}

/// A birth that provides one port and then refuses leaves nothing behind.
#[test]
fn a_refused_birth_rolls_back() {
    static PORT: NumberPort = Port::new("number");
    static DOOR: &dyn Door = &PORT;
    static DOORS: [DoorRef; 1] = [&DOOR];
    static REFUSES: Cell = Cell {
        name: "refuses",
        version: "0",
        provides: &DOORS,
        birth: |birth: &mut Birth<'_>| {
            birth.provide(&PORT, Box::new(Fixed(7)));
            Err(BirthError::Missing("a disk".into()))
        },
    };
    let refused = port::start(&REFUSES, &Options::default());
    assert_eq!(refused, Err(BirthError::Missing("a disk".into())));
    assert!(matches!(
        PORT.enter().map(|_| ()),
        Err(PortError::NoProvider("number"))
    ));
    assert_eq!(PORT.flip(), Err(SwapError::NothingStaged("number")));
}

#[test]
fn what_is_unstaged_is_unloaded_and_never_called() {
    let port = started();
    let unloaded = stage(port, 2);
    port.unstage();
    assert_eq!(unloaded.load(Ordering::SeqCst), 1);
    assert_eq!(port.flip(), Err(SwapError::NothingStaged("number")));
    assert_eq!(port.enter().unwrap().number(), 1);
}

/// Only the next call faults; the guard that was in its frame is given back both
/// when the frame is unwound and when it is skipped.
#[test]
fn an_injected_crash_faults_the_next_call_only() {
    let port = started();
    port.inject(CrashKind::Panic);
    let fault = task_port::gate(|| port.enter().map(|inside| inside.number()));
    assert!(fault.unwrap_err().message.contains("crashed on command"));
    assert_eq!(port.status().inflight, 0);
    assert_eq!(port.enter().unwrap().number(), 1);
    let skipped = task_port::gate(|| {
        core::mem::forget(port.enter().unwrap());
        core::mem::forget(port.enter().unwrap());
        panic!("skip the frame");
    });
    assert_eq!(skipped.map_err(|f| f.released), Err::<(), _>(2));
    assert_eq!(port.status().inflight, 0);
    assert!(task_port::with_ledger(task_port::Ledger::is_empty));
}

/// Who is inside may come again, by either way in; others wait; the drain waits
/// for both of its guards.
#[test]
fn a_closed_port_lets_those_inside_again_and_no_others() {
    let port = started();
    let outer = port.enter().unwrap();
    port.close();
    let inner = port.enter().unwrap();
    let third = port.try_enter().unwrap();
    let status = port.status();
    assert_eq!((status.inflight, status.closed), (3, true));
    let other = thread::spawn(|| port.try_enter().is_none());
    assert!(other.join().unwrap());
    let waiter = thread::spawn(move || port.enter().unwrap().number());
    assert!(waits(&waiter));
    drop(outer);
    drop(third);
    let busy = SwapError::Busy {
        port: "number",
        inflight: 1,
    };
    assert_eq!(port.drain(soon()), Err(busy));
    assert_eq!(inner.number(), 1);
    drop(inner);
    port.drain(patiently()).unwrap();
    assert!(waits(&waiter));
    drop(stage(port, 2));
    port.flip().unwrap();
    port.open();
    assert_eq!(waiter.join().unwrap(), 2);
}

/// A drain that misses its deadline says how many are inside; after opening all
/// go on, with the provider they had.
#[test]
fn a_missed_deadline_is_undone() {
    let port = started();
    let (leave, first) = visitor(port);
    let (leave_too, second) = visitor(port);
    port.close();
    let waiter = thread::spawn(|| port.enter().unwrap().number());
    let busy = SwapError::Busy {
        port: "number",
        inflight: 2,
    };
    assert_eq!(port.drain(soon()), Err(busy));
    port.open();
    assert_eq!(waiter.join().unwrap(), 1);
    leave.send(()).unwrap();
    leave_too.send(()).unwrap();
    assert_eq!((first.join().unwrap(), second.join().unwrap()), (1, 1));
    assert_eq!(port.status().inflight, 0);
}

/// The drain ends when the last caller leaves, not at the deadline.
#[test]
fn the_last_to_leave_ends_the_drain() {
    let port = started();
    let (leave, inside) = visitor(port);
    port.close();
    let drain = thread::spawn(|| port.drain(patiently()));
    assert!(waits(&drain));
    leave.send(()).unwrap();
    drain.join().unwrap().unwrap();
    port.open();
    assert_eq!(inside.join().unwrap(), 1);
}

/// A caller may stay with the generation it entered; a third one has to wait
/// until it is gone.
#[test]
fn two_generations_at_a_time() {
    let port = started();
    let (leave, inside) = visitor(port);
    let unloaded = stage(port, 2);
    port.flip().unwrap();
    assert_eq!(port.enter().unwrap().number(), 2);
    let third = stage(port, 3);
    assert!(matches!(
        port.flip(),
        Err(SwapError::Busy { inflight: 1, .. })
    ));
    assert!(matches!(
        port.retire(soon()),
        Err(SwapError::Busy { inflight: 1, .. })
    ));
    leave.send(()).unwrap();
    assert_eq!(inside.join().unwrap(), 1);
    port.retire(patiently()).unwrap();
    port.flip().unwrap();
    assert_eq!(port.enter().unwrap().number(), 3);
    assert_eq!(unloaded.load(Ordering::SeqCst), 0);
    port.retire(patiently()).unwrap();
    assert_eq!(unloaded.load(Ordering::SeqCst), 1);
    assert_eq!(third.load(Ordering::SeqCst), 0);
}

#[test]
fn a_flip_can_be_undone_until_the_former_provider_is_dropped() {
    let port = started();
    let unloaded = stage(port, 2);
    port.flip().unwrap();
    port.flip_back().unwrap();
    assert_eq!(port.enter().unwrap().number(), 1);
    port.retire(patiently()).unwrap();
    assert_eq!(unloaded.load(Ordering::SeqCst), 1);
    assert_eq!(port.flip_back(), Err(SwapError::NoProvider("number")));
    assert_eq!(port.enter().unwrap().number(), 1);
    assert_eq!(port.status().generation, 3);
}

/// The first provider of a port can be taken back as well: a set of cells starts
/// whole or not at all.
#[test]
fn a_first_flip_can_be_undone() {
    let port: &'static NumberPort = Box::leak(Box::new(Port::new("number")));
    let unloaded = stage(port, 1);
    port.flip().unwrap();
    port.flip_back().unwrap();
    assert!(port.enter().is_err());
    assert!(port.try_enter().is_none());
    assert!(port.status().cell.is_none());
    port.retire(patiently()).unwrap();
    assert_eq!(unloaded.load(Ordering::SeqCst), 1);
    assert_eq!(port.flip_back(), Err(SwapError::NoProvider("number")));
    drop(stage(port, 2));
    port.flip().unwrap();
    assert_eq!(port.enter().unwrap().number(), 2);
}

/// A port that was given up serves again after a flip, forward or back.
#[test]
fn an_abandoned_port_is_empty_until_the_next_flip() {
    let port = started();
    port.abandon();
    assert!(port.enter().is_err());
    assert!(port.status().cell.is_none());
    drop(stage(port, 2));
    port.flip().unwrap();
    assert_eq!(port.enter().unwrap().number(), 2);
    // The faulty one does not come back with the flip undone.
    port.flip_back().unwrap();
    assert!(port.enter().is_err());
    port.flip_back().unwrap();
    assert_eq!(port.enter().unwrap().number(), 2);
    // Given up in its turn, and the former one is a good one.
    port.retire(patiently()).unwrap();
    drop(stage(port, 3));
    port.flip().unwrap();
    port.abandon();
    port.flip_back().unwrap();
    assert_eq!(port.enter().unwrap().number(), 2);
}

/// A provider without state has none to give, one port's state is not another's.
#[test]
fn states_go_to_the_door_they_are_of() {
    let port = started();
    assert!(!port.has_state());
    assert!(port.export().unwrap().is_none());
    let empty: &'static NumberPort = Box::leak(Box::new(Port::new("empty")));
    assert!(matches!(
        empty.export().map(|_| ()),
        Err(SwapError::NoProvider("empty"))
    ));
    let state = State::new(1, Box::new(5u32));
    let code = CellRef(Arc::new(Code(Arc::default())));
    let options = Options::default();
    let mut birth = Birth::new(code, &options, vec![("number", state)]);
    assert!(birth.inherit(empty).is_none());
    let state = birth.inherit(port).unwrap();
    assert!(birth.inherit(port).is_none());
    let state = state.take::<u64>().unwrap_err();
    assert_eq!(*state.take::<u32>().unwrap(), 5);
}
