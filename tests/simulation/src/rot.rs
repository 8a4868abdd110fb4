//! Bits that rot: of what a power cut has left, and of which all is known since the
//! system has started on it, one bit is flipped or one place made unreadable, and the
//! system started again. It refuses, or it works, and then whatever it says is right:
//! of the rest it says that it is damaged.
//!
//! Only of the log's last part nobody can know, as long as nothing was written after
//! it: what lies behind the position that was durable for sure may be lost, as if the
//! power had cut it short.

use crate::row::GROUPS;
use crate::txn::Txn;
use crate::world::{CATALOG, CELLS, Stop, Table, World, lock};
use crate::{log, must, say};
use nvme_port::Op;
use pg_buffer_port::{BufferError, OpenError, OpenReport};
use pg_page::superblock::{BLOCK, COPIES, LOG_OFFSET, Superblock};
use pg_wal_port::{DiskOpenError, ReadError};
use port::Options;
use sim_disk::{Fault, Image, Random};
use task_port::simulate;

/// So many places.
const TRIALS: u64 = 6;

/// What is wrong with the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Damage {
    /// One bit at this place is another.
    Bit(u64, u8),
    /// The block with this place cannot be read.
    Unreadable(u64),
}

impl Damage {
    fn place(self) -> u64 {
        match self {
            Damage::Bit(place, _) | Damage::Unreadable(place) => place,
        }
    }
}

/// Damages a disk again and again: the system, what it has started from, and what it
/// found.
pub fn trials((mut world, image, sound): (World, Image, OpenReport), random: &mut Random) {
    let Some(disk) = pg_wal_port::superblock() else {
        return;
    };
    let tables: Vec<Table> = lock(&world.tables)
        .iter()
        .copied()
        .chain([CATALOG])
        .collect();
    for _ in 0..TRIALS {
        let place = place(&disk, &sound, random);
        let damage = match random.below(4) {
            0 => Damage::Unreadable(place),
            _ => Damage::Bit(place, 1 << random.below(8)),
        };
        say!("damage: {damage:?}");
        world.disk.kill();
        world = trial(world, &image, &sound, &tables, damage, random.next_u64());
        simulate::progress();
    }
}

/// A place that somebody may miss.
fn place(disk: &Superblock, sound: &OpenReport, random: &mut Random) -> u64 {
    match random.below(8) {
        0 => COPIES[random.below(2) as usize] + random.below(BLOCK),
        1..4 => {
            let at = sound.from.0 + random.below(sound.to.0 - sound.from.0 + 64);
            LOG_OFFSET + at % disk.log_size
        }
        4 => disk.map_offset + random.below(BLOCK),
        _ => disk.data_offset + random.below(2 << 20),
    }
}

fn trial(
    world: World,
    image: &Image,
    sound: &OpenReport,
    tables: &[Table],
    damage: Damage,
    seed: u64,
) -> World {
    let mut image = image.clone();
    if let Damage::Bit(place, bit) = damage {
        let byte = image.bytes(place..place + 1)[0];
        image.put(place as usize, &[byte ^ bit]);
    }
    let world = world.with_disk(image, seed);
    if let Damage::Unreadable(place) = damage {
        world.disk.inject(Fault {
            op: Op::Read,
            range: place..place + 1,
            times: u32::MAX,
        });
    }
    world.disk.install();
    let options = Options::parse(&world.plan.options);
    for cell in CELLS {
        if let Err(error) = port::start(cell, &options) {
            say!("{} does not start: {error}", cell.name);
            // Its pages are damaged; that of the others' was refused before.
            must!(cell.name == "pg_txn", "{}: {error}", cell.name);
            return world;
        }
        if cell.name == "pg_buffer" {
            match pg_buffer_port::open() {
                Ok(report) if is_same_end(&report, sound, damage) => {}
                Ok(report) => {
                    must!(
                        is_in_log(damage) && report.to < sound.to && report.to >= sound.durable,
                        "{damage:?}: the log ends at {} in start {}, it was durable up to {} \
                         and ended at {} in start {}",
                        report.to,
                        report.epoch,
                        sound.durable,
                        sound.to,
                        sound.epoch
                    );
                    return world;
                }
                Err(error) => {
                    say!("refused: {error}");
                    must!(is_named(&error, damage), "{damage:?}: {error:?}");
                    return world;
                }
            }
        }
    }
    world
        .start
        .store(pg_wal_port::epoch(), std::sync::atomic::Ordering::SeqCst);
    for table in tables {
        look(&world, *table, damage);
    }
    world
}

/// Whether a start has found the whole log. A start that fails when it has written one
/// copy of the superblock leaves no record of its own, and the log that it has replayed:
/// without that copy the other one leads to the end of that log, in the block before the
/// one where the start would have gone on.
fn is_same_end(report: &OpenReport, sound: &OpenReport, damage: Damage) -> bool {
    let goes_on_at = report.to.0.next_multiple_of(BLOCK).max(BLOCK);
    let is_former = damage.place() < LOG_OFFSET && report.epoch + 1 == sound.epoch;
    report.to == sound.to || is_former && sound.from == sound.to && sound.from.0 == goes_on_at
}

/// Whether the place is one of the log: no other can cut it short.
fn is_in_log(damage: Damage) -> bool {
    pg_wal_port::superblock().is_some_and(|disk| {
        let log = LOG_OFFSET..LOG_OFFSET + disk.log_size;
        log.contains(&damage.place())
    })
}

/// Whether a refusal says what is wrong.
fn is_named(error: &OpenError, damage: Damage) -> bool {
    let unreadable = matches!(damage, Damage::Unreadable(_));
    match error {
        OpenError::Read(ReadError::Damaged { .. })
        | OpenError::Buffer(BufferError::Corrupt { .. })
        | OpenError::Record(_)
        | OpenError::Disk(DiskOpenError::Superblock(_)) => true,
        OpenError::Read(ReadError::Disk { .. })
        | OpenError::Buffer(BufferError::Io { .. })
        | OpenError::Disk(DiskOpenError::Disk(_)) => unreadable,
        _ => false,
    }
}

/// A way to read a table.
type Way<'a> = Box<dyn Fn(&mut Txn<'_>) -> Result<(), Stop> + 'a>;

/// Reads a table in every way; the model looks at what is found.
fn look(world: &World, table: Table, damage: Damage) {
    let ids = world.plan.ids as u32 + 1;
    let mut ways: Vec<Way<'_>> = vec![
        Box::new(|txn| txn.scan(table).map(drop)),
        Box::new(|txn| txn.range(table, (0, ids), false)),
        Box::new(|txn| txn.range(table, (0, u32::MAX), true)),
    ];
    for group in 0..GROUPS as u8 {
        ways.push(Box::new(move |txn| txn.lookup_group(table, group)));
    }
    for way in ways {
        let outcome = Txn::begin(world, true).and_then(|mut txn| way(&mut txn));
        match outcome {
            Ok(()) => {}
            Err(Stop::Storage(BufferError::Corrupt { page })) => say!("{page} is damaged"),
            Err(Stop::Storage(BufferError::Io { page })) => {
                let unreadable = matches!(damage, Damage::Unreadable(_));
                must!(unreadable, "{damage:?}: {page} could not be read");
            }
            Err(stop) => log::fail(format_args!("{damage:?} in {table:?}: {stop:?}")),
        }
    }
}
