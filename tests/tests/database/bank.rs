//! A bank like pgbench's: transactions that move money in three tables and note
//! it in a fourth, so that four sums must agree and the notes can be counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use system_tests::{Guest, LIMIT};
use tokio_postgres::{Client, Error, NoTls, Statement};

const ACCOUNTS: i32 = 2000;
const TELLERS: i32 = 10;

/// Makes the tables.
pub fn set_up(guest: &Guest) {
    guest.sql(&format!(
        "create table accounts (id int primary key, balance int not null);
         create table tellers (id int primary key, balance int not null);
         create table branches (id int primary key, balance int not null);
         create table history (account int, delta int, client int);
         insert into accounts select g, 0 from generate_series(1, {ACCOUNTS}) g;
         insert into tellers select g, 0 from generate_series(1, {TELLERS}) g;
         insert into branches values (1, 0)"
    ));
}

/// Checks that all sums agree; gives the number of transactions that happened.
pub fn check(guest: &Guest) -> u64 {
    let sums = guest.sql(
        "select (select sum(balance) from accounts), (select sum(balance) from tellers),
                (select sum(balance) from branches), (select coalesce(sum(delta), 0) from history),
                (select count(*) from history)",
    );
    let numbers: Vec<i64> = sums
        .split('|')
        .map(|n| n.parse().expect("a number"))
        .collect();
    assert!(
        numbers[..4].iter().all(|sum| *sum == numbers[0]),
        "the sums differ: {sums}"
    );
    u64::try_from(numbers[4]).expect("a count")
}

/// What a load did.
#[derive(Debug, Default)]
pub struct Tally {
    /// Transactions whose commit was acknowledged.
    pub committed: u64,
    /// Errors of statements, SQLSTATE first.
    pub failures: Vec<String>,
    /// Connections that ended before they were told to.
    pub lost_connections: usize,
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    committed: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// Starts `count` clients, each with a connection of its own.
    pub fn start(port: u16, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let committed = Arc::new(AtomicU64::new(0));
        let ready = Arc::new(AtomicU64::new(0));
        let clients = (0..count)
            .map(|client| {
                let (stop, committed) = (Arc::clone(&stop), Arc::clone(&committed));
                let ready = Arc::clone(&ready);
                std::thread::spawn(move || run(port, client as i32, &stop, &ready, &committed))
            })
            .collect();
        let load = Load {
            stop,
            committed,
            clients,
        };
        // Clients are let in one by one; wait until each has prepared its
        // statements.
        let limit = Instant::now() + LIMIT;
        while ready.load(Ordering::SeqCst) < count as u64 {
            assert!(Instant::now() < limit, "not all clients get in");
            std::thread::sleep(Duration::from_millis(2));
        }
        load
    }

    /// Waits until `count` more transactions are acknowledged.
    pub fn advance(&self, count: u64) {
        let goal = self.committed.load(Ordering::SeqCst) + count;
        let limit = Instant::now() + LIMIT;
        while self.committed.load(Ordering::SeqCst) < goal {
            assert!(Instant::now() < limit, "no progress under load");
            assert!(
                self.clients.iter().any(|c| !c.is_finished()),
                "all clients have ended"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it and adds up.
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Tally::default();
        for client in self.clients {
            let tally = client.join().expect("a client does not panic");
            all.committed += tally.committed;
            all.failures.extend(tally.failures);
            all.lost_connections += tally.lost_connections;
        }
        all
    }
}

fn run(
    port: u16,
    client: i32,
    stop: &AtomicBool,
    ready: &AtomicU64,
    committed: &AtomicU64,
) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut tally = Tally::default();
        if let Err(error) = work(port, client, stop, ready, committed, &mut tally).await {
            tally.failures.push(name(&error));
            tally.lost_connections += 1;
        }
        tally
    })
}

fn name(error: &Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} {}", error.code().code(), error.message()),
        None => error.to_string(),
    }
}

async fn work(
    port: u16,
    client: i32,
    stop: &AtomicBool,
    ready: &AtomicU64,
    committed: &AtomicU64,
    tally: &mut Tally,
) -> Result<(), Error> {
    let address = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    let (mut session, connection) = tokio_postgres::connect(&address, NoTls).await?;
    tokio::spawn(connection);
    let statements = [
        session
            .prepare("update accounts set balance = balance + $1 where id = $2")
            .await?,
        session
            .prepare("update tellers set balance = balance + $1 where id = $2")
            .await?,
        session
            .prepare("update branches set balance = balance + $1 where id = $2")
            .await?,
        session
            .prepare("insert into history values ($1, $2, $3)")
            .await?,
    ];
    ready.fetch_add(1, Ordering::SeqCst);
    let mut seed = u64::try_from(client).unwrap_or(0) + 1;
    while !stop.load(Ordering::SeqCst) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        match transfer(&mut session, &statements, client, (seed >> 33) as i32).await {
            Ok(()) => {
                tally.committed += 1;
                committed.fetch_add(1, Ordering::SeqCst);
            }
            // A statement failed, the connection lives: go on.
            Err(error) if error.as_db_error().is_some() => tally.failures.push(name(&error)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn transfer(
    session: &mut Client,
    statements: &[Statement; 4],
    client: i32,
    random: i32,
) -> Result<(), Error> {
    let (account, teller, delta) = (
        random % ACCOUNTS + 1,
        random % TELLERS + 1,
        random % 1000 - 500,
    );
    let tx = session.transaction().await?;
    tx.execute(&statements[0], &[&delta, &account]).await?;
    tx.execute(&statements[1], &[&delta, &teller]).await?;
    tx.execute(&statements[2], &[&delta, &1i32]).await?;
    tx.execute(&statements[3], &[&account, &delta, &client])
        .await?;
    tx.commit().await
}
