//! Promise: no flipped bit goes unnoticed. On a small database, bits are flipped
//! at places that follow a seed; each is either where nothing is, or the check
//! names the page, record or superblock that it is in.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog_tests::{create_simple, look_up, run};
use offline::database::Database;
use offline::device::{Below, Device, Layer};
use offline::power::random::Random;
use pg_btree_port::Inserted;
use pg_buffer_port::record::{Body, How};
use pg_buffer_port::space::Space;
use pg_buffer_port::{FileId, Fork, PageId};
use pg_check_port::{Place, Report};
use pg_page::superblock::{BLOCK, COPIES, Found, LOG_OFFSET, Superblock};
use pg_page::{PAGE_SIZE, Page};
use pg_plan::Relation;
use pg_txn_port::{Isolation, Transaction};
use pg_types::{Datum, KeyOrder, Str, keycode, tuple};
use pg_wal_port::Lsn;
use pg_wal_port::record::{Parsed, Record};

const DISK: usize = 24 << 20;
const OPTIONS: &str = "buffers=16M log_size=1M";
const FLIPS: u64 = 300;

/// Adds rows to a table (id int primary key, v text).
fn fill(table: &Relation, ids: std::ops::Range<i32>) {
    let mut tx = Transaction::begin(Isolation::ReadCommitted, false).unwrap();
    tx.start_command().unwrap();
    let heap = FileId::new(table.file, Fork::Main);
    for id in ids {
        let row = [
            Datum::Int4(id),
            Datum::Text(Str::from(format!("row {id}").as_str())),
        ];
        let mut bytes = Vec::new();
        tuple::encode(&mut bytes, &table.desc, &row);
        let tid = pg_heap_port::insert(&mut tx, heap, &bytes).unwrap();
        for index in &table.indexes {
            let mut key = Vec::new();
            for column in &index.keys {
                let value = &row[column.attribute as usize - 1];
                keycode::encode(&mut key, value, column.type_oid, KeyOrder::ASC);
            }
            let tree = FileId::new(index.file, Fork::Main);
            let done = pg_btree_port::insert(&mut tx, tree, heap, &key, tid, true).unwrap();
            assert_eq!(done, Inserted::Done);
        }
    }
    tx.commit().unwrap();
}

/// A database shut down in order, or as a power cut leaves it: with a log to be
/// replayed, and changes that are in the log alone.
fn image(clean: bool) -> Arc<dyn Below> {
    let device = Device::new(Layer::over(Arc::new(vec![0u8; DISK])));
    let database = Database::create(device, OPTIONS);
    assert!(database.is_open, "{}", database.report);
    for name in ["a", "b"] {
        run(&create_simple(name)).unwrap();
        fill(&look_up(name).unwrap(), 0..800);
    }
    pg_buffer_port::checkpoint().unwrap();
    run(&create_simple("c")).unwrap();
    fill(&look_up("c").unwrap(), 0..100);
    fill(&look_up("a").unwrap(), 800..900);
    match clean {
        true => pg_buffer_port::shut_down().unwrap(),
        false => {
            pg_wal_port::flush(pg_wal_port::insert_position()).unwrap();
            // As the running system does when nobody writes any more.
            pg_wal_port::seal().unwrap();
        }
    }
    Arc::new(database.device.layer())
}

fn read(disk: &dyn Below, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    disk.read(offset, &mut bytes).unwrap();
    bytes
}

/// What lies where, worked out from the bytes alone.
struct Layout {
    superblock: Superblock,
    space: Space,
    /// Start and end of each record to be replayed.
    records: Vec<(u64, u64)>,
    /// The log before it was durable, as its records say.
    durable: u64,
    /// Pages that the log restores whole.
    restored: BTreeSet<u64>,
}

/// What a flip must lead to.
#[derive(Debug, PartialEq)]
enum Expected {
    /// Nothing: nothing is there, or it is restored.
    Nothing,
    /// A finding at this place.
    At(Place),
    /// A note, or nothing: it is behind all that is known to have been durable, so it
    /// may be what a power cut has cut short.
    MayBe,
}

impl Layout {
    fn of(disk: &dyn Below) -> Self {
        let copies = COPIES.map(|at| read(disk, at, BLOCK as usize));
        let found = Superblock::find([&copies[0], &copies[1]], disk.len());
        let Ok(Found::Valid(superblock)) = found else {
            panic!("{found:?}");
        };
        let mut layout = Layout {
            space: Space::new(&superblock),
            superblock,
            records: Vec::new(),
            durable: 0,
            restored: BTreeSet::new(),
        };
        let log = read(disk, LOG_OFFSET, superblock.log_size as usize);
        let mut at = superblock.redo;
        let mut turned = log.clone();
        turned.rotate_left((at % superblock.log_size) as usize);
        let mut rest = &turned[..];
        let mut map = vec![[0; PAGE_SIZE]; superblock.map_pages as usize];
        for (block, page) in map.iter_mut().enumerate() {
            let offset = superblock.map_offset + (block * PAGE_SIZE) as u64;
            page.copy_from_slice(&read(disk, offset, PAGE_SIZE));
        }
        while let Parsed::Record(record) = Record::parse(rest, at, superblock.epoch) {
            layout.take(&record, &mut map);
            at = record.end();
            rest = &rest[record.len()..];
        }
        for (block, page) in map.iter().enumerate() {
            layout.space.refresh(block as u32, page);
        }
        layout
    }

    fn take(&mut self, record: &Record<'_>, map: &mut [Page]) {
        self.records.push((record.lsn(), record.end()));
        self.durable = self.durable.max(record.durable());
        let body = Body::parse(record.body(), record.blocks()).unwrap();
        for block in body.blocks() {
            if block.how != How::Change {
                self.restored.insert(block.page.pack());
            }
            if block.page.file == FileId::SPACE_MAP {
                body.apply(block, &mut map[block.page.block as usize])
                    .unwrap();
            }
        }
    }

    fn expected(&self, offset: u64) -> Expected {
        let disk = &self.superblock;
        let copy = COPIES
            .iter()
            .position(|at| (*at..at + BLOCK).contains(&offset));
        if let Some(copy) = copy {
            return Expected::At(Place::Superblock(copy as u8));
        }
        if (LOG_OFFSET..disk.map_offset).contains(&offset) {
            return self.in_log(offset);
        }
        if offset < disk.map_offset {
            return Expected::Nothing;
        }
        match self.page(offset) {
            Some(page) if !self.restored.contains(&page.pack()) => Expected::At(Place::Page(page)),
            _ => Expected::Nothing,
        }
    }

    /// The page in use at a place of the disk.
    fn page(&self, offset: u64) -> Option<PageId> {
        let disk = &self.superblock;
        let page = |start: u64| ((offset - start) / PAGE_SIZE as u64) as u32;
        if offset < disk.data_offset {
            return Some(PageId::new(FileId::SPACE_MAP, page(disk.map_offset)));
        }
        let page = page(disk.data_offset);
        let (extent, within) = (page / disk.extent_pages, page % disk.extent_pages);
        let entry = self.space.entry(extent);
        let is_used = entry.file != 0 && within < entry.used;
        let block = entry.index * disk.extent_pages + within;
        is_used.then_some(PageId::new(FileId(entry.file), block))
    }

    fn in_log(&self, offset: u64) -> Expected {
        let size = self.superblock.log_size;
        let within = offset - LOG_OFFSET;
        let is_at = |(from, to): &&(u64, u64)| {
            let turn = (from / size) * size;
            [turn + within, turn + size + within]
                .iter()
                .any(|at| (*from..*to).contains(at))
        };
        match self.records.iter().find(is_at) {
            None => Expected::Nothing,
            Some(record) if record.0 >= self.durable => Expected::MayBe,
            Some(record) => Expected::At(Place::Log(Lsn(record.0))),
        }
    }
}

fn is_named(report: &Report, wanted: &Place) -> bool {
    report
        .findings
        .iter()
        .any(|finding| match (finding.place, wanted) {
            (Place::Item(page, _), Place::Page(wanted)) => page == *wanted,
            (place, wanted) => place == *wanted,
        })
}

fn sweep(clean: bool, seed: u64) {
    let disk = image(clean);
    let layout = Layout::of(&*disk);
    let before = Database::open(Device::new(Layer::over(disk.clone()))).check();
    assert!(before.is_sound() && before.findings.is_empty(), "{before}");
    assert_eq!(before.looked.records as usize, layout.records.len());
    assert_eq!(layout.records.is_empty(), clean);
    // All but the seal itself is protected.
    let last = layout.records.last().map_or(0, |record| record.0);
    assert_eq!(layout.durable, last);
    let mut random = Random::new(seed);
    let mut met = [0; 3];
    for flip in 0..FLIPS {
        let (from, len) = match random.below(10) {
            0 => (COPIES[0], 2 * BLOCK),
            1 => (COPIES[1], BLOCK),
            2..=4 => (LOG_OFFSET, layout.superblock.log_size),
            5 => (layout.superblock.map_offset, PAGE_SIZE as u64),
            6..=8 => (layout.superblock.data_offset, 5 << 20),
            _ => (0, DISK as u64),
        };
        let offset = from + random.below(len);
        let bit = 1 << random.below(8);
        let device = Device::new(Layer::over(disk.clone()));
        let byte = read(&*disk, offset, 1)[0];
        device.damage(offset, &[byte ^ bit]).unwrap();
        let report = Database::open(device).check();
        let context = format!("seed {seed}, flip {flip}, bit {bit} at {offset}");
        match layout.expected(offset) {
            Expected::Nothing => {
                met[0] += 1;
                assert!(report.findings.is_empty(), "{context}: {report}");
            }
            Expected::At(place) => {
                met[1] += 1;
                assert!(is_named(&report, &place), "{context}: {place}: {report}");
                assert!(!report.is_sound(), "{context}: {report}");
            }
            Expected::MayBe => {
                met[2] += 1;
                assert!(report.is_sound(), "{context}: {report}");
            }
        }
    }
    // The places met everything.
    assert!(met[0] > 20 && met[1] > 50, "{met:?}");
}

#[test]
fn each_flipped_bit_of_a_stopped_system_is_found_or_hits_nothing() {
    sweep(true, 11);
}

#[test]
fn each_flipped_bit_after_a_power_cut_is_found_restored_or_hits_nothing() {
    sweep(false, 12);
}

#[test]
fn a_lost_entry_a_stray_one_and_a_wrong_key_are_found() {
    let device = Device::new(Layer::over(Arc::new(vec![0u8; DISK])));
    let database = Database::create(device, OPTIONS);
    run(&create_simple("t")).unwrap();
    let table = look_up("t").unwrap();
    fill(&table, 0..50);
    assert!(database.check().is_sound());
    let index = FileId::new(table.indexes[0].file, Fork::Main);
    let heap = FileId::new(table.file, Fork::Main);
    let mut tx = Transaction::begin(Isolation::ReadCommitted, false).unwrap();
    tx.start_command().unwrap();
    // A row without an entry, an entry without a row, an entry under a wrong key.
    let mut row = Vec::new();
    tuple::encode(&mut row, &table.desc, &[Datum::Int4(77), Datum::Null]);
    let lost = pg_heap_port::insert(&mut tx, heap, &row).unwrap();
    let wrong = pg_heap_port::insert(&mut tx, heap, &row).unwrap();
    let stray = pg_heap_port::Tid::new(lost.block, 500);
    for (tid, key) in [(stray, 1000), (wrong, 1001)] {
        let mut bytes = Vec::new();
        keycode::encode(
            &mut bytes,
            &Datum::Int4(key),
            table.indexes[0].keys[0].type_oid,
            KeyOrder::ASC,
        );
        pg_btree_port::insert(&mut tx, index, heap, &bytes, tid, false).unwrap();
    }
    tx.commit().unwrap();
    let report = database.check();
    let place = |tid: pg_heap_port::Tid| Place::Item(PageId::new(heap, tid.block), tid.slot);
    let found: BTreeSet<_> = report.damage().map(|f| (f.place, f.what)).collect();
    let wanted = BTreeSet::from([
        (place(lost), pg_check_port::What::NoEntry),
        (place(stray), pg_check_port::What::NoRow),
        (place(wrong), pg_check_port::What::Key),
    ]);
    assert_eq!(found, wanted, "{report}");
}
