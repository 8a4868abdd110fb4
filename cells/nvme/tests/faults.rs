//! What goes wrong: errors of the medium, lost and senseless replies, a failed
//! controller, a driver that faults, a device that is gone.

mod common;

use common::fake::Model;
use common::{Loops, Rig, buffer, load, request};
use nvme::{Driver, Settings};
use nvme_port::{BAD_REQUEST, BlockDevice, DEVICE_LOST, IO_ERROR, OK, Op, Urgency};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

const SETTINGS: Settings = Settings {
    queues: 3,
    depth: 32,
    timeout_ns: 100_000_000,
};
/// Unrecovered read error, not final; the same, final; outside the namespace.
const WEAK: u16 = 0x0281;
const HARD: u16 = 0x4281;
const OUTSIDE: u16 = 0x4080;

struct Set {
    state: Arc<nvme_port::NvmeState>,
    driver: Arc<Driver>,
    loops: Option<Loops>,
    rig: Rig,
}

fn start(model: Model) -> Set {
    let rig = Rig::new(model);
    let state = rig.open(&SETTINGS);
    let driver = Arc::new(Driver::new(Arc::clone(&state)));
    Set {
        loops: Some(Loops::start(&driver)),
        state,
        driver,
        rig,
    }
}

impl Set {
    fn read(&self, block: u64) -> Option<u16> {
        let data = buffer(0, 512);
        let (read, done) = request(Op::Read, block * 512, Some(&data));
        self.driver.submit(Urgency::Normal, vec![read]);
        done.wait_deadline(task_port::now() + 10_000_000_000)
    }

    fn resets(&self) -> u64 {
        self.state.resets.load(SeqCst)
    }

    fn spoil(&self, block: u64, statuses: &[u16]) {
        let mut errors = self.rig.knobs.errors.lock().unwrap();
        errors.insert(block, statuses.iter().copied().collect());
    }

    /// Runs a load on every queue while `trouble` is made beside it.
    fn under_load(&self, trouble: impl Fn(usize)) {
        let workers: Vec<_> = (0..3u64)
            .map(|worker| {
                let driver = Arc::clone(&self.driver);
                std::thread::spawn(move || load::run(&*driver, worker, worker * (4 << 20), 150))
            })
            .collect();
        let executed = || -> u32 {
            let kinds = &self.rig.knobs.executed;
            kinds.iter().map(|n| n.load(SeqCst)).sum()
        };
        let (mut round, mut before) = (0, 0);
        while workers.iter().any(|w| !w.is_finished()) {
            // With progress in between: a device that only fails is given up.
            if !self.state.is_resetting() && executed() > before + 50 {
                trouble(round);
                round += 1;
                before = executed();
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        for worker in workers {
            let load = worker.join().unwrap();
            load.compare(&self.rig.medium.lock().unwrap().cached);
        }
    }
}

#[test]
fn what_is_not_final_is_tried_again() {
    let set = start(Model::default());
    set.spoil(10, &[WEAK, WEAK, WEAK]);
    assert_eq!(set.read(10), Some(OK));
    set.spoil(11, &[WEAK; 8]);
    assert_eq!(set.read(11), Some(IO_ERROR));
    assert_eq!(
        set.rig.knobs.errors.lock().unwrap()[&11].len(),
        4,
        "four tries"
    );
    set.spoil(12, &[HARD; 2]);
    assert_eq!(set.read(12), Some(IO_ERROR));
    assert_eq!(
        set.rig.knobs.errors.lock().unwrap()[&12].len(),
        1,
        "one try"
    );
    set.spoil(13, &[OUTSIDE]);
    assert_eq!(set.read(13), Some(BAD_REQUEST));
}

#[test]
fn of_merged_jobs_only_the_one_at_fault_fails() {
    let set = start(Model::default());
    set.spoil(16 * 3, &[HARD, HARD]);
    let frame = buffer(0, 8192);
    let (requests, tokens): (Vec<_>, Vec<_>) = (0..6)
        .map(|i| request(Op::Write, i * 8192, Some(&frame)))
        .unzip();
    set.driver.submit(Urgency::Normal, requests);
    let outcomes: Vec<_> = tokens.iter().map(|t| t.wait()).collect();
    assert_eq!(outcomes, [OK, OK, OK, IO_ERROR, OK, OK]);
    assert_eq!(
        set.rig.knobs.executed[1].load(SeqCst),
        7,
        "one merged, six alone"
    );
}

#[test]
fn an_unanswered_command_is_given_again_after_a_reset() {
    let set = start(Model::default());
    set.rig.knobs.swallow.store(1, SeqCst);
    assert_eq!(set.read(1), Some(OK));
    assert_eq!(set.resets(), 1);
    // One that is never answered ends in the end.
    set.rig.knobs.swallow.store(u32::MAX, SeqCst);
    assert_eq!(set.read(1), Some(IO_ERROR));
    set.rig.knobs.swallow.store(0, SeqCst);
    assert_eq!(set.read(1), Some(OK));
}

#[test]
fn no_data_is_lost_by_failing_controllers_and_senseless_replies() {
    let set = start(Model {
        seed: 5,
        ..Model::default()
    });
    set.under_load(|round| match round % 2 {
        0 => set.rig.knobs.fatal.store(true, SeqCst),
        _ => set.rig.knobs.senseless.store(true, SeqCst),
    });
    assert!(set.resets() >= 2, "{} resets", set.resets());
    assert_eq!(set.read(1), Some(OK));
}

#[test]
fn no_data_is_lost_when_the_driver_faults_inside_a_queue() {
    let set = start(Model {
        seed: 6,
        ..Model::default()
    });
    set.under_load(|round| {
        let queue = &set.state.queues[round % 3];
        let fault = task_port::gate(|| {
            queue.rings.with(|rings| {
                // Half of what `put` does.
                rings.ring.tail = (rings.ring.tail + 1) % rings.ring.depth;
                panic!("a fault in the middle");
            })
        });
        assert!(fault.is_err());
    });
    assert!(set.resets() >= 1);
    assert!(
        set.state
            .queues
            .iter()
            .all(|q| q.rings.with(|r| r.in_flight()) == 0)
    );
}

#[test]
fn a_device_that_does_not_come_back_is_lost_until_a_new_driver_tries() {
    let set = start(Model::default());
    set.rig.knobs.dead.store(true, SeqCst);
    set.rig.knobs.swallow.store(1, SeqCst);
    assert_eq!(set.read(1), Some(DEVICE_LOST));
    assert_eq!(set.read(1), Some(DEVICE_LOST), "at once from now on");
    set.rig.knobs.dead.store(false, SeqCst);
    assert_eq!(set.read(1), Some(DEVICE_LOST));
}

#[test]
fn dropping_the_state_stops_the_device_and_ends_what_waits() {
    let mut set = start(Model::default());
    set.rig.knobs.pause.store(true, SeqCst);
    let data = buffer(0, 512);
    let (requests, tokens): (Vec<_>, Vec<_>) = (0..100)
        .map(|i| request(Op::Read, i * 1024, Some(&data)))
        .unzip();
    set.driver.submit(Urgency::Normal, requests);
    drop(set.loops.take());
    let Set {
        state, driver, rig, ..
    } = set;
    drop((state, driver));
    assert!(tokens.iter().all(|t| t.poll() == Some(DEVICE_LOST)));
    rig.knobs.pause.store(false, SeqCst);
    // It can be claimed and opened again.
    let driver = Arc::new(Driver::new(rig.open(&SETTINGS)));
    let _loops = Loops::start(&driver);
    let (read, done) = request(Op::Read, 0, Some(&data));
    driver.submit(Urgency::Normal, vec![read]);
    assert_eq!(done.wait(), OK);
}
