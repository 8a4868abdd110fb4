//! What goes through: data of every shape, batches, urgency, durability.

mod common;

use common::fake::{BLOCK, Model};
use common::{Loops, Random, Rig, buffer, bytes, fill, request};
use nvme::{Driver, Settings};
use nvme_port::{BAD_REQUEST, BlockDevice, OK, Op, Urgency};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

const SETTINGS: Settings = Settings {
    queues: 4,
    depth: 256,
    timeout_ns: 5_000_000_000,
};

fn start(rig: &Rig, settings: Settings) -> (Arc<Driver>, Loops) {
    let driver = Arc::new(Driver::new(rig.open(&settings)));
    let loops = Loops::start(&driver);
    (driver, loops)
}

#[test]
fn it_says_what_the_device_is() {
    let rig = Rig::new(Model {
        queues: 2,
        ..Model::default()
    });
    let (driver, _loops) = start(&rig, SETTINGS);
    let geometry = driver.geometry();
    assert_eq!((geometry.block_size, geometry.capacity), (512, 65536 * 512));
    assert_eq!(
        (geometry.max_transfer, geometry.volatile_cache),
        (128 << 10, true)
    );
    assert_eq!(driver.queues(), 2, "as many as the controller grants");
    assert!(driver.report()[0].starts_with("Fake controller SN 0001 1.0"));
    assert!(rig.bus.claim_class(1, 8, 2).is_none(), "it is claimed");
}

#[test]
fn data_of_every_shape_arrives() {
    let rig = Rig::new(Model::default());
    let (driver, _loops) = start(&rig, SETTINGS);
    let mut random = Random::new(7);
    // Lengths of one page, two, a list; starts at and inside a page.
    for (offset, len) in [
        (0, 512),
        (0, 4096),
        (512, 4096),
        (0, 8192),
        (2048, 8192),
        (0, 12288),
        (1024, 65536),
        (4, 131_072),
        (0, 131_072),
    ] {
        let expected = random.bytes(len);
        let at = (random.below(1000) * BLOCK) as u64;
        let source = buffer(offset, len);
        fill(&source, &expected);
        let (write, written) = request(Op::Write, at, Some(&source));
        driver.submit(Urgency::Normal, vec![write]);
        assert_eq!(written.wait(), OK);
        let range = at as usize..at as usize + len;
        assert_eq!(&rig.medium.lock().unwrap().cached[range], expected);
        let target = buffer(offset, len);
        let (read, done) = request(Op::Read, at, Some(&target));
        driver.submit(Urgency::Normal, vec![read]);
        assert_eq!(done.wait(), OK);
        assert_eq!(bytes(&target), expected, "{len} bytes from {offset}");
    }
}

#[test]
fn wrong_requests_are_told_so_and_right_ones_beside_them_done() {
    let rig = Rig::new(Model::default());
    let (driver, _loops) = start(&rig, SETTINGS);
    let page = buffer(0, 4096);
    let (half, long, odd) = (buffer(0, 100), buffer(0, 132 << 10), buffer(2, 512));
    let end = driver.geometry().capacity;
    let cases = [
        (Op::Read, 0, Some(&page), OK),
        (Op::Read, 100, Some(&page), BAD_REQUEST),
        (Op::Read, 0, Some(&half), BAD_REQUEST),
        (Op::Read, 0, Some(&long), BAD_REQUEST),
        (Op::Read, 0, Some(&odd), BAD_REQUEST),
        (Op::Write, end - 512, Some(&page), BAD_REQUEST),
        (Op::Write, u64::MAX - 511, Some(&page), BAD_REQUEST),
        (Op::Write, 0, None, BAD_REQUEST),
        (Op::Flush, 0, Some(&page), BAD_REQUEST),
        (Op::Write, end - 4096, Some(&page), OK),
        (Op::Flush, 0, None, OK),
    ];
    let (requests, tokens): (Vec<_>, Vec<_>) = cases
        .iter()
        .map(|(op, at, data, _)| request(*op, *at, *data))
        .unzip();
    driver.submit(Urgency::Normal, requests);
    for (token, (op, at, _, expected)) in tokens.iter().zip(&cases) {
        assert_eq!(token.wait(), *expected, "{op:?} at {at:#x}");
    }
}

#[test]
fn durable_is_durable_and_flush_makes_it_so() {
    let rig = Rig::new(Model::default());
    let (driver, _loops) = start(&rig, SETTINGS);
    let data = buffer(0, 512);
    fill(&data, &[7; 512]);
    let durable = |at: usize| rig.medium.lock().unwrap().durable[at];
    let run = |op, at: u64, data| {
        let (request, done) = request(op, at, data);
        driver.submit(Urgency::Log, vec![request]);
        assert_eq!(done.wait(), OK);
    };
    run(Op::Write, 0, Some(&data));
    assert_eq!(durable(0), 0, "the cache holds it");
    run(Op::WriteDurable, 1024, Some(&data));
    assert_eq!((durable(0), durable(1024)), (0, 7));
    run(Op::Flush, 0, None);
    assert_eq!(durable(0), 7);
    run(Op::Write, 4096, Some(&data));
    let (rings, flushes) = (
        rig.knobs.rings.load(SeqCst),
        rig.knobs.executed[0].load(SeqCst),
    );
    assert_eq!((rings, flushes), (4, 1));
    while !driver.shut_down() {
        std::thread::yield_now();
    }
    assert_eq!(durable(4096), 7, "a shutdown empties the cache");
}

#[test]
fn without_a_cache_a_flush_does_not_reach_the_device() {
    let rig = Rig::new(Model {
        volatile_cache: false,
        ..Model::default()
    });
    let (driver, _loops) = start(&rig, SETTINGS);
    let (flush, done) = request(Op::Flush, 0, None);
    driver.submit(Urgency::Log, vec![flush]);
    assert_eq!(done.poll(), Some(OK), "at once");
    assert_eq!(rig.knobs.executed[0].load(SeqCst), 0);
}

#[test]
fn a_batch_rings_once_and_neighbours_go_together() {
    let rig = Rig::new(Model::default());
    let (driver, _loops) = start(&rig, SETTINGS);
    let mut random = Random::new(3);
    let expected = random.bytes(10 * 8192);
    let frames: Vec<_> = expected
        .chunks(8192)
        .map(|chunk| {
            let frame = buffer(0, 8192);
            fill(&frame, chunk);
            frame
        })
        .collect();
    // Eight neighbours, a gap, two neighbours.
    let place = |i: usize| (i * 8192 + if i >= 8 { 65536 } else { 0 }) as u64;
    let (requests, tokens): (Vec<_>, Vec<_>) = frames
        .iter()
        .enumerate()
        .map(|(i, f)| request(Op::Write, place(i), Some(f)))
        .unzip();
    driver.submit(Urgency::Background, requests);
    assert!(tokens.iter().all(|t| t.wait() == OK));
    assert_eq!(rig.knobs.executed[1].load(SeqCst), 2);
    assert_eq!(rig.knobs.rings.load(SeqCst), 1);
    let medium = rig.medium.lock().unwrap();
    for (i, chunk) in expected.chunks(8192).enumerate() {
        let at = place(i) as usize;
        assert!(medium.cached[at..at + 8192] == *chunk, "frame {i}");
    }
}

#[test]
fn the_log_goes_first_when_the_queue_is_full() {
    let rig = Rig::new(Model {
        entries: 8,
        reorder: false,
        ..Model::default()
    });
    let (driver, loops) = start(
        &rig,
        Settings {
            queues: 1,
            ..SETTINGS
        },
    );
    rig.knobs.pause.store(true, SeqCst);
    let data = buffer(0, 512);
    let mut tokens = Vec::new();
    // Far apart, so that nothing is merged.
    for (urgency, base, count) in [
        (Urgency::Background, 1000, 20),
        (Urgency::Normal, 2000, 20),
        (Urgency::Log, 3000, 5),
    ] {
        let (requests, more): (Vec<_>, Vec<_>) = (0..count)
            .map(|i| request(Op::Read, (base + 2 * i) * 512, Some(&data)))
            .unzip();
        driver.submit(urgency, requests);
        tokens.extend(more);
    }
    rig.knobs.pause.store(false, SeqCst);
    assert!(tokens.iter().all(|t| t.wait() == OK));
    drop(loops);
    let order = rig.knobs.order.lock().unwrap().clone();
    let class: Vec<u64> = order.iter().map(|block| block / 1000).collect();
    // One background read was in the device first, then as many normal ones as
    // may be there; the log took the rest and whatever became free.
    assert_eq!(class[0], 1);
    assert!(
        class[1..7].iter().filter(|c| **c == 2).count() >= 5,
        "{class:?}"
    );
    let last = |c: u64| class.iter().rposition(|x| *x == c);
    assert!(
        last(3) < Some(13) && last(3) < last(2) && last(2) < last(1),
        "{class:?}"
    );
}

#[test]
fn rings_wrap_and_replies_come_in_any_order() {
    for seed in 1..=6 {
        let rig = Rig::new(Model {
            entries: 4 + seed as u16,
            seed,
            ..Model::default()
        });
        let (driver, _loops) = start(
            &rig,
            Settings {
                queues: 2,
                ..SETTINGS
            },
        );
        let workers: Vec<_> = (0..4u64)
            .map(|worker| {
                let driver = Arc::clone(&driver);
                std::thread::spawn(move || {
                    common::load::run(&*driver, seed * 100 + worker, worker * (4 << 20), 400)
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
    }
}
