//! What the tasks of a life do: transactions of rows, tables that come and go,
//! vacuum, checkpoints, swaps.

use crate::txn::Txn;
use crate::world::{CATALOG, CELLS, Stop, Table, World, lock, swap};
use crate::{must, row, say};
use pg_buffer_port::{BufferError, MiniTx};
use pg_heap_port::RowLock;
use pg_txn_port::{LockMode, LockTarget, WaitPolicy};
use pg_wal_port::Durability;
use sim_disk::Random;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use task_port::{SpawnOptions, TaskRef, simulate};

/// Starts the tasks of a life.
pub fn start(world: &Arc<World>, seed: u64) -> Vec<TaskRef> {
    let mut tasks = Vec::new();
    let mut start = |name: String, body: fn(&World, Random)| {
        let random = Random::new(seed ^ (tasks.len() as u64 + 1).wrapping_mul(0x9E37_79B9));
        let world = Arc::clone(world);
        let task = task_port::spawn(SpawnOptions::new(&name), move || {
            body(&world, random);
            let held = task_port::with_ledger(|l| l.len());
            must!(held == 0, "a task ends and holds {held} things");
        });
        tasks.extend(task);
    };
    for who in 0..world.plan.workers {
        start(format!("worker {who}"), work);
    }
    start("upkeep".into(), upkeep);
    start("ddl".into(), make_and_drop);
    if world.plan.swaps {
        start("swapper".into(), swap_cells);
    }
    tasks
}

fn work(world: &World, mut random: Random) {
    while !world.is_over() {
        match transaction(world, &mut random) {
            Ok(true) => {
                world.commits.fetch_add(1, Ordering::SeqCst);
            }
            Ok(false) => {}
            Err(stop) => {
                world.judge(&stop, "transaction");
                // As a client that tries again would.
                task_port::sleep(1_000 + random.below(1_000_000));
            }
        }
        simulate::progress();
    }
}

fn filler(world: &World, random: &mut Random) -> usize {
    let most = match random.below(12) {
        0 => world.plan.longest,
        1..4 => 300,
        _ => 40,
    };
    random.below(most) as usize
}

fn transaction(world: &World, random: &mut Random) -> Result<bool, Stop> {
    let mut txn = Txn::begin(world, random.below(3) == 0)?;
    if random.below(10) == 0 {
        txn.tx.set_lock_timeout(1 + random.below(50_000_000));
    }
    if world.plan.lazy {
        txn.set_durability(match random.below(3) {
            0 => Durability::Flushed,
            1 => Durability::Second,
            _ => Durability::Off,
        });
    }
    for _ in 0..=random.below(8) {
        let Some(table) = world.any_table(random) else {
            break;
        };
        txn.lock_table(table, LockMode::RowExclusive)?;
        match step(world, random, &mut txn, table) {
            // Half of the clients go on from a savepoint.
            Err(Stop::Duplicate) if txn.savepoints() > 0 && random.below(2) == 0 => {
                let at = 1 + random.below(txn.savepoints() as u64) as usize;
                txn.rollback_to(at)?;
            }
            other => other?,
        }
        if random.below(6) == 0 {
            task_port::sleep(random.below(3_000_000));
        }
    }
    if random.below(6) == 0 {
        say!("rollback");
        return Ok(false);
    }
    txn.commit()
}

fn step(world: &World, random: &mut Random, txn: &mut Txn<'_>, table: Table) -> Result<(), Stop> {
    let id = random.below(world.plan.ids) as u32;
    let group = random.below(row::GROUPS) as u8;
    let filler = filler(world, random);
    match random.below(100) {
        0..25 => txn.insert(table, id, group, filler),
        25..60 => txn.change(table, id, Some(group % 2), filler).map(drop),
        60..70 => txn.change(table, id, None, 0).map(drop),
        70..75 => txn.lookup(table, id).map(drop),
        75..79 => txn.lookup_group(table, group),
        79..83 => {
            let end = id + random.below(world.plan.ids) as u32;
            txn.range(table, (id, end), random.below(2) == 0)
        }
        83..86 => txn.scan(table).map(drop),
        86..89 => lock_row(random, txn, table, id),
        89..94 => {
            txn.savepoint();
            Ok(())
        }
        _ if txn.savepoints() == 0 => Ok(()),
        94..97 => {
            let at = 1 + random.below(txn.savepoints() as u64) as usize;
            txn.rollback_to(at)
        }
        _ => txn.release(),
    }
}

fn lock_row(random: &mut Random, txn: &mut Txn<'_>, table: Table, id: u32) -> Result<(), Stop> {
    let Some(tid) = txn.lookup(table, id)? else {
        return Ok(());
    };
    let strength = RowLock::from_code(random.below(4) as u8);
    let policy = match random.below(3) {
        0 => WaitPolicy::Wait,
        1 => WaitPolicy::NoWait,
        _ => WaitPolicy::Skip,
    };
    let outcome = pg_heap_port::lock_row(&mut txn.tx, table.heap(), tid, strength, policy)?;
    say!("lock {}.{id} {strength:?}: {outcome:?}", table.0);
    Ok(())
}

/// Vacuums, prunes, makes checkpoints.
fn upkeep(world: &World, mut random: Random) {
    while !world.is_over() {
        task_port::sleep(random.below(30_000_000));
        let table = match random.below(8) {
            0 => Some(CATALOG),
            _ => world.any_table(&mut random),
        };
        let Some(table) = table else {
            continue;
        };
        let done = match random.below(4) {
            0 => pg_buffer_port::checkpoint().map_err(Stop::from),
            1 => prune(world, &mut random, table),
            _ => vacuum(world, table),
        };
        match done {
            Ok(()) => simulate::progress(),
            Err(stop) => world.judge(&stop, "upkeep"),
        }
    }
}

fn prune(world: &World, random: &mut Random, table: Table) -> Result<(), Stop> {
    let mut txn = Txn::begin(world, false)?;
    txn.lock_table(table, LockMode::RowExclusive)?;
    let blocks = pg_heap_port::blocks(table.heap())?;
    if blocks > 0 {
        let block = random.below(u64::from(blocks)) as u32;
        pg_heap_port::prune(table.heap(), block)?;
    }
    Ok(())
}

/// Vacuums a table.
///
/// # Errors
/// The system's.
pub fn vacuum(world: &World, table: Table) -> Result<(), Stop> {
    let mut txn = Txn::begin(world, false)?;
    txn.lock_table(table, LockMode::ShareUpdateExclusive)?;
    let (dead, report) = pg_heap_port::vacuum_collect(&txn.tx, table.heap())?;
    pg_btree_port::remove(&txn.tx, table.by_id(), &dead)?;
    pg_btree_port::remove(&txn.tx, table.by_group(), &dead)?;
    pg_heap_port::vacuum_finish(&txn.tx, table.heap(), &dead)?;
    say!("vacuum {}: {report:?}", table.0);
    if report.in_use < report.pages {
        match txn.lock_now(table, LockMode::AccessExclusive) {
            Ok(()) => {}
            Err(Stop::Again(_)) => return Ok(()),
            Err(stop) => return Err(stop),
        }
        let target = LockTarget::relation(table.0);
        let cut = pg_heap_port::vacuum_truncate(&txn.tx, table.heap(), target)?;
        say!("vacuum {}: {cut} pages cut", table.0);
    }
    Ok(())
}

/// Lets tables come and go.
fn make_and_drop(world: &World, mut random: Random) {
    while !world.is_over() {
        let count = lock(&world.tables).len();
        let done = match (count, random.below(3)) {
            (0, _) => make(world, &mut random),
            (1, 0) | (2, 0 | 1) => make(world, &mut random),
            (1, _) => Ok(()),
            _ => remove(world, &mut random),
        };
        match done {
            Ok(()) => simulate::progress(),
            Err(stop) => world.judge(&stop, "ddl"),
        }
        task_port::sleep(random.below(60_000_000));
    }
}

/// Makes the files of a table.
///
/// # Errors
/// The system's.
pub fn make_files(table: Table) -> Result<(), Stop> {
    for file in table.files() {
        let mut mtx = MiniTx::begin(0);
        pg_buffer_port::create_file(&mut mtx, file)?;
        mtx.commit()?;
    }
    for index in [table.by_id(), table.by_group()] {
        let mut mtx = MiniTx::begin(0);
        pg_btree_port::create(&mut mtx, index)?;
        mtx.commit()?;
    }
    Ok(())
}

/// Removes files that belong to nothing.
///
/// # Errors
/// The system's.
pub fn drop_files(table: Table) -> Result<(), Stop> {
    for file in table.all_files() {
        let mut mtx = MiniTx::begin(0);
        pg_buffer_port::drop_file(&mut mtx, file)?;
        mtx.commit()?;
    }
    Ok(())
}

fn make(world: &World, random: &mut Random) -> Result<(), Stop> {
    let table = Table(world.next_table.fetch_add(4, Ordering::SeqCst) as u32);
    say!("making table {}", table.0);
    let made = make_committed(world, random, table);
    match &made {
        Ok(()) => lock(&world.tables).push(table),
        Err(Stop::Log(_)) => {}
        // Nobody will ever know it.
        Err(_) => drop_files(table)?,
    }
    made
}

fn make_committed(world: &World, random: &mut Random, table: Table) -> Result<(), Stop> {
    let mut txn = Txn::begin(world, false)?;
    make_files(table)?;
    if random.below(2) == 0 {
        for id in 0..random.below(world.plan.ids) as u32 {
            let (group, filler) = (random.below(row::GROUPS) as u8, filler(world, random));
            txn.insert(table, id, group, filler)?;
        }
    }
    txn.insert(CATALOG, table.0, 0, 0)?;
    txn.commit().map(drop)
}

fn remove(world: &World, random: &mut Random) -> Result<(), Stop> {
    let Some(table) = world.any_table(random) else {
        return Ok(());
    };
    say!("dropping table {}", table.0);
    let mut txn = Txn::begin(world, false)?;
    txn.tx.set_lock_timeout(200_000_000);
    txn.lock_table(table, LockMode::AccessExclusive)?;
    let there = txn.change(CATALOG, table.0, None, 0)?;
    must!(there, "{table:?} is not in the catalog");
    lock(&world.tables).retain(|t| *t != table);
    match txn.commit() {
        Ok(_) => {}
        // Its files stay, and the next start decides.
        Err(stop @ Stop::Log(_)) => return Err(stop),
        Err(stop) => {
            lock(&world.tables).push(table);
            return Err(stop);
        }
    }
    while let Err(stop) = drop_files(table) {
        world.judge(&stop, "dropping files");
        if world.is_over() {
            return Ok(());
        }
        must!(
            stop != Stop::Storage(BufferError::DiskFull) || world.plan.tight || world.has_faults(),
            "no room to drop a table"
        );
        task_port::sleep(1_000_000);
    }
    Ok(())
}

fn swap_cells(world: &World, mut random: Random) {
    while !world.is_over() {
        let at = random.below(CELLS.len() as u64 + 1) as usize;
        let cell = CELLS.get(at).copied().unwrap_or(&sim_disk::CELL);
        say!("swap {}", cell.name);
        swap(cell);
        task_port::sleep(random.below(20_000_000));
    }
}
