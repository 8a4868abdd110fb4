//! What a call costs, for `perf stat` or callgrind: `page_cost WHAT COUNT` does one
//! kind of call so often; the difference of two counts is the cost.

use pg_buffer_port::{FileId, MiniTx, PageId};
use port::Options;
use sim_disk::SimDisk;

fn main() {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_default();
    let count: u64 = words.next().and_then(|w| w.parse().ok()).unwrap_or(0);
    SimDisk::new(64 << 20).install();
    let options = Options::parse("buffers=8M log_size=16M");
    port::start(&pg_wal::CELL, &options).expect("pg_wal");
    port::start(&pg_buffer::CELL, &options).expect("pg_buffer");
    pg_buffer_port::open().expect("open");
    let file = FileId(4);
    let mut mtx = MiniTx::begin(0);
    pg_buffer_port::create_file(&mut mtx, file).expect("create");
    let (slot, _) = mtx.extend(file).expect("extend");
    mtx.init(slot, 1, 0);
    mtx.commit().expect("commit");
    let id = PageId::new(file, 0);
    for round in 0..count {
        match what.as_str() {
            "hit" => drop(pg_buffer_port::read_page(id)),
            "pin" => {
                let pin = pg_buffer_port::read_page(id).map(pg_buffer_port::PageRead::unlatch);
                drop(pin.map(pg_buffer_port::PagePin::read));
            }
            "minitx" => write(id, round),
            "commit" => pg_wal_port::flush(write_lsn(id, round)).expect("flush"),
            "checksum" => {
                let page = pg_buffer_port::read_page(id).expect("read");
                std::hint::black_box(pg_page::header::compute_checksum(&page, round));
            }
            _ => {}
        }
        if round % 4096 == 4095 && what != "hit" {
            pg_buffer_port::checkpoint().expect("checkpoint");
        }
    }
}

fn write(id: PageId, round: u64) {
    write_lsn(id, round);
}

fn write_lsn(id: PageId, round: u64) -> pg_buffer_port::Lsn {
    let mut mtx = MiniTx::begin(5);
    let slot = mtx.latch(id).expect("latch");
    mtx.write(slot, 100, &[round as u8; 100]);
    mtx.commit().expect("commit")
}
