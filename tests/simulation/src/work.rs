//! What the tasks of a life do: transactions of rows, tables that come and go,
//! vacuum, checkpoints, swaps.

use crate::txn::Txn;
use crate::world::{CATALOG, CELLS, Stop, Table, World, lock, swap};
use crate::{must, row, say};
use nvme_port::Op;
use pg_buffer_port::{BufferError, MiniTx};
use pg_heap_port::RowLock;
use pg_txn_port::{Isolation, LockMode, LockTarget, WaitPolicy};
use pg_wal_port::Durability;
use port::CrashKind;
use sim_disk::{Fault, Random};
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
    if world.plan.swaps || world.plan.crashes {
        start("swapper".into(), swap_cells);
    }
    tasks
}

fn work(world: &World, mut random: Random) {
    while !world.is_over() {
        match task_port::gate(|| transaction(world, &mut random)) {
            Ok(Ok(true)) => {
                world.commits.fetch_add(1, Ordering::SeqCst);
            }
            Ok(Ok(false)) => {}
            Err(fault) => {
                must!(world.plan.crashes, "{}", fault.message);
                say!("transaction: {}", fault.message);
            }
            Ok(Err(stop)) => {
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
    let isolation = match random.below(3) {
        0 => Isolation::RepeatableRead,
        1 if world.plan.serializable => Isolation::Serializable,
        _ => Isolation::ReadCommitted,
    };
    let mut txn = Txn::begin_as(world, isolation)?;
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
            Err(stop) => return Err(linger(world, random, txn, stop)),
            Ok(()) => {}
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

/// A client that waits for storage and then goes on as if nothing had been: his
/// transaction is lost, and the system knows.
fn linger(world: &World, random: &mut Random, txn: Txn<'_>, stop: Stop) -> Stop {
    if world.disk.is_dead() || !pg_wal_port::has_failed() || random.below(2) == 0 {
        return stop;
    }
    say!("waits for storage");
    pg_wal_port::wait_while_failed(task_port::now() + 5_000_000_000);
    if world.is_lost() {
        let outcome = txn.commit_unasked();
        must!(
            outcome.is_err(),
            "a transaction has outlived a start of storage"
        );
    }
    stop
}

fn step(world: &World, random: &mut Random, txn: &mut Txn<'_>, table: Table) -> Result<(), Stop> {
    let id = random.below(world.plan.ids) as u32;
    let group = random.below(row::GROUPS) as u8;
    let filler = filler(world, random);
    match random.below(100) {
        0..25 => txn.insert(table, id, group, filler),
        25..60 => txn.change(table, id, Some(group % 2), filler).map(drop),
        60..69 => txn.change(table, id, None, 0).map(drop),
        69 => (id..id + 60).try_for_each(|id| txn.change(table, id, None, 0).map(drop)),
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
        let what = random.below(4);
        let done = task_port::gate(|| match what {
            0 => pg_buffer_port::checkpoint().map_err(Stop::from),
            1 => prune(world, &mut random, table),
            _ => vacuum(world, table),
        });
        match done {
            Ok(Ok(())) => simulate::progress(),
            Ok(Err(stop)) => world.judge(&stop, "upkeep"),
            Err(fault) => must!(world.plan.crashes, "{}", fault.message),
        }
        if world.plan.bad_places {
            spoil(world, &mut random);
        }
    }
}

/// Somewhere among the pages the disk becomes unreadable, or all is well again.
fn spoil(world: &World, random: &mut Random) {
    let Some(disk) = pg_wal_port::superblock() else {
        return;
    };
    match random.below(6) {
        0 => world.disk.heal(),
        1 => {
            let at = disk.data_offset + random.below(3 << 20);
            say!("unreadable: {at:#x}");
            world.disk.inject(Fault {
                op: Op::Read,
                range: at..at + 1,
                times: u32::MAX,
            });
        }
        _ => {}
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
        let what = random.below(3);
        let done = task_port::gate(|| match (count, what) {
            (0, _) => make(world, &mut random),
            (1, 0) | (2, 0 | 1) => make(world, &mut random),
            (1, _) => Ok(()),
            _ => remove(world, &mut random),
        });
        match done {
            Ok(Ok(())) => simulate::progress(),
            Ok(Err(stop)) => world.judge(&stop, "ddl"),
            Err(fault) => must!(world.plan.crashes, "{}", fault.message),
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
        // Nobody will ever know it. Of another start's files the next check knows.
        Err(_) if world.is_over() => {}
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
    match world.any_table(random) {
        Some(table) => drop_table(world, table),
        None => Ok(()),
    }
}

fn drop_table(world: &World, table: Table) -> Result<(), Stop> {
    say!("dropping table {}", table.0);
    let mut txn = Txn::begin(world, false)?;
    txn.tx.set_lock_timeout(200_000_000);
    txn.lock_table(table, LockMode::AccessExclusive)?;
    let there = txn.change(CATALOG, table.0, None, 0)?;
    // Another try of a drop whose commit did not return.
    if !there && world.plan.crashes {
        lock(&world.tables).retain(|t| *t != table);
        return Ok(());
    }
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
        if world.plan.crashes && at < CELLS.len() {
            say!("crash {}", cell.name);
            cell.provides[0].inject(CrashKind::Panic);
            task_port::sleep(random.below(5_000_000));
        }
        say!("swap {}", cell.name);
        swap(cell);
        task_port::sleep(random.below(20_000_000));
    }
    // What nobody has met must not meet who comes later.
    let _ = task_port::gate(|| drop(pg_wal_port::WAL.enter()));
    let _ = task_port::gate(|| drop(pg_buffer_port::BUFFER.enter()));
    let _ = task_port::gate(|| drop(pg_txn_port::TXN.enter()));
    let _ = task_port::gate(|| drop(pg_heap_port::HEAP.enter()));
    let _ = task_port::gate(|| drop(pg_btree_port::BTREE.enter()));
}

/// After the disk was full: what is deleted gives room for something new.
///
/// # Errors
/// The system's.
pub fn make_room(world: &World, random: &mut Random) -> Result<(), Stop> {
    let tables = lock(&world.tables).clone();
    for table in tables {
        drop_table(world, table)?;
    }
    vacuum(world, CATALOG)?;
    make(world, random)
}
