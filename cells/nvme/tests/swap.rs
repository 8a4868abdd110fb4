//! The driver is replaced under load, with commands in the device and in the
//! middle of resets; not a byte goes astray and the pause stays short.

mod common;

use common::Rig;
use common::fake::Model;
use common::load::Load;
use nvme::{CELL, Settings};
use nvme_port::{DEVICE_LOST, DISK, NvmeState, OK, Op, Queue, Urgency};
use port::{Birth, CellCode, CellRef, Door, Options, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

struct Code;

impl CellCode for Code {
    fn name(&self) -> &str {
        CELL.name
    }
    fn version(&self) -> &str {
        CELL.version
    }
    fn size(&self) -> usize {
        0
    }
}

fn soon() -> u64 {
    task_port::now() + 5_000_000_000
}

/// Gives birth to a driver that inherits `state`.
fn birth(state: State) {
    let options = Options::default();
    let mut birth = Birth::new(CellRef(Arc::new(Code)), &options, vec![(CELL.name, state)]);
    (CELL.birth)(&mut birth).unwrap();
}

/// One swap; gives the pause.
fn swap() -> Duration {
    let from = Instant::now();
    DISK.close();
    DISK.drain(soon()).unwrap();
    let state = DISK.export().unwrap().expect("it has a state");
    birth(state);
    DISK.flip().unwrap();
    DISK.open();
    let pause = from.elapsed();
    DISK.retire(soon()).unwrap();
    pause
}

/// Keeps two batches in the device at a time, so that commands are in flight at
/// every moment.
fn work(seed: u64, base: u64, stop: &AtomicBool, done: &AtomicU64) -> Load {
    let mut load = Load::new(seed, base);
    while !stop.load(SeqCst) {
        let (urgency, requests, batch) = load.batch();
        DISK.enter().unwrap().submit(urgency, requests);
        load.check(batch);
        done.fetch_add(1, SeqCst);
    }
    load
}

/// Swaps the driver until enough has happened; gives how many swaps found
/// commands in the device.
fn swap_often(rig: &Rig, state: &NvmeState, batches: &AtomicU64) -> usize {
    let mut with_commands = 0;
    for round in 0..10_000 {
        let resets = state.resets.load(SeqCst);
        if round >= 300 && with_commands > 50 && batches.load(SeqCst) > 300 && resets > 0 {
            break;
        }
        // Not into a reset: a device that fails again and again is given up.
        if round % 250 == 125 && !state.is_resetting() {
            rig.knobs.fatal.store(true, SeqCst);
        }
        // With the device held, commands are in it for sure.
        rig.knobs.pause.store(round % 3 == 0, SeqCst);
        std::thread::sleep(Duration::from_millis(1));
        let in_flight = |q: &Queue| q.rings.with(|r| r.in_flight());
        let busy: usize = state.queues.iter().map(in_flight).sum();
        let pause = swap();
        with_commands += usize::from(busy != 0);
        assert!(pause < Duration::from_millis(200), "{pause:?}");
        rig.knobs.pause.store(false, SeqCst);
    }
    with_commands
}

fn read() -> Option<u16> {
    let data = common::buffer(0, 512);
    let (read, done) = common::request(Op::Read, 0, Some(&data));
    DISK.enter().unwrap().submit(Urgency::Normal, vec![read]);
    done.wait_deadline(soon())
}

#[test]
fn replaced_under_load() {
    let rig = Rig::new(Model {
        entries: 16,
        seed: 11,
        ..Model::default()
    });
    let settings = Settings {
        queues: 4,
        depth: 64,
        timeout_ns: 2_000_000_000,
    };
    let state = rig.open(&settings);
    birth(state.hand_over());
    DISK.flip().unwrap();
    DISK.open();
    assert_eq!(nvme_port::start_loops().unwrap().len(), 4);

    let stop = AtomicBool::new(false);
    let batches = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let (stop, batches) = (&stop, &batches);
        let workers: Vec<_> = (0..5u64)
            .map(|w| scope.spawn(move || work(w + 1, w * (2 << 20), stop, batches)))
            .collect();
        let with_commands = swap_often(&rig, &state, batches);
        stop.store(true, SeqCst);
        for worker in workers {
            let load = worker.join().unwrap();
            load.compare(&rig.medium.lock().unwrap().cached);
        }
        assert!(with_commands > 50, "{with_commands} swaps with commands");
    });
    let batches = batches.load(SeqCst);
    assert!(batches > 300, "{batches} batches");
    assert!(state.resets.load(SeqCst) >= 1);
    a_failed_swap_leaves_the_old_driver();
    a_lost_device_is_tried_again_by_the_next_driver(&rig);
}

fn a_failed_swap_leaves_the_old_driver() {
    DISK.close();
    DISK.drain(soon()).unwrap();
    let exported = DISK.export().unwrap().unwrap();
    DISK.reclaim(exported).unwrap();
    DISK.open();
    assert_eq!(read(), Some(OK));
}

fn a_lost_device_is_tried_again_by_the_next_driver(rig: &Rig) {
    rig.knobs.dead.store(true, SeqCst);
    rig.knobs.fatal.store(true, SeqCst);
    while read() != Some(DEVICE_LOST) {}
    rig.knobs.dead.store(false, SeqCst);
    assert_eq!(read(), Some(DEVICE_LOST));
    swap();
    assert_eq!(read(), Some(OK));
}

#[test]
fn a_foreign_state_is_refused() {
    let options = Options::default();
    for state in [State::new(99, Box::new(0u8)), State::new(1, Box::new(0u8))] {
        let mut birth = Birth::new(CellRef(Arc::new(Code)), &options, vec![(CELL.name, state)]);
        assert!((CELL.birth)(&mut birth).is_err());
        assert!(birth.staged().is_empty());
    }
}
