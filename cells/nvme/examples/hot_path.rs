//! What one read costs the driver: submits single 8 KiB reads, lets the
//! controller answer each, and looks for the reply, all on one thread. Run it
//! under a counter of instructions, such as
//! `valgrind --tool=callgrind --toggle-collect='hot_path::driver_side*'`.
#![allow(dead_code)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Rig, buffer, request};
use nvme::Settings;
use nvme_port::{DISK, OK, Op, Request, Urgency};
use port::{Birth, CellCode, CellRef, Door, Options};
use std::sync::Arc;

const ROUNDS: u64 = 2000;

struct Code;

impl CellCode for Code {
    fn name(&self) -> &str {
        "nvme"
    }
    fn version(&self) -> &str {
        "0"
    }
    fn size(&self) -> usize {
        0
    }
}

#[inline(never)]
fn submit_side(requests: Vec<Request>) {
    DISK.enter().unwrap().submit(Urgency::Normal, requests);
}

#[inline(never)]
fn reply_side() {
    DISK.enter().unwrap().poll_queue(0).unwrap();
}

fn main() {
    let rig = Rig::new(common::fake::Model::default());
    let settings = Settings {
        queues: 1,
        ..Settings::default()
    };
    let state = rig.open(&settings);
    let options = Options::default();
    let states = vec![("nvme", state.hand_over())];
    let mut birth = Birth::new(CellRef(Arc::new(Code)), &options, states);
    (nvme::CELL.birth)(&mut birth).unwrap();
    DISK.flip().unwrap();
    DISK.open();
    let data = buffer(0, 8192);
    for _ in 0..ROUNDS {
        let (read, done) = request(Op::Read, 65536, Some(&data));
        let seen = state.queues[0].line.count();
        submit_side(vec![read]);
        state.queues[0].line.wait(seen);
        reply_side();
        assert_eq!(done.poll(), Some(OK));
    }
    println!("{ROUNDS} reads");
}
