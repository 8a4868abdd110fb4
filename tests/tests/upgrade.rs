//! Promise: a running system goes from one revision to another and back under load,
//! connections and their prepared statements with it, and says which one it runs.

#[path = "database/bank.rs"]
mod bank;

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bank::{Load, check, set_up};
use mitos::client::ClientError;
use mitos::revision::Revision;
use mitos::running::Running;
use mitos::upgrade::{self, Plan};
use system_tests::{Guest, LIMIT};
use tokio_postgres::{Client, NoTls};

const CLIENTS: usize = 4;

/// The tests build revisions in one folder, and boot from it: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection, and the runtime that looks after it.
struct Peer {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Peer {
    fn connect(guest: &Guest) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let address = format!(
            "host=127.0.0.1 port={} user=postgres dbname=postgres",
            guest.port()
        );
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&address, NoTls).await?;
            tokio::spawn(connection);
            Ok::<_, tokio_postgres::Error>(client)
        });
        Peer {
            client: client.expect("the guest takes connections"),
            runtime,
        }
    }

    fn run(&self, sql: &str) {
        let done = self.runtime.block_on(self.client.batch_execute(sql));
        done.unwrap_or_else(|error| panic!("`{sql}`: {error}"));
    }

    fn ask(&self, sql: &str) -> String {
        let rows = self.runtime.block_on(self.client.simple_query(sql));
        let rows = rows.unwrap_or_else(|error| panic!("`{sql}`: {error}"));
        let row = rows.into_iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
            _ => None,
        });
        row.unwrap_or_default()
    }
}

/// Pushes cells, however long transactions take on this machine.
fn push(guest: &Guest, cells: &[&str]) -> String {
    match upgrade::push_patiently(guest.instance(), &guest.pack(cells), LIMIT) {
        Ok(answer) => answer,
        Err(error) => panic!("push of {cells:?}: {error}"),
    }
}

#[test]
fn connections_move_to_another_generation_of_their_port() {
    let _alone = alone();
    let guest = Guest::boot();
    set_up(&guest);
    guest.sql("create sequence s");
    let load = Load::start(guest.port(), CLIENTS);
    let peer = Peer::connect(&guest);
    peer.run("set application_name = 'moved'; set work_mem = '7MB'; select nextval('s')");
    let statement = peer
        .runtime
        .block_on(peer.client.prepare("select $1::int * 2"));
    let statement = statement.expect("the statement is prepared");
    let questions = [
        "select pg_backend_pid()",
        "show application_name",
        "show work_mem",
        "select currval('s')",
    ];
    let before = questions.map(|sql| peer.ask(sql));
    for round in 0..3 {
        load.advance(CLIENTS as u64);
        let answer = push(&guest, &["pg_wire_port", "pg_catalog_port"]);
        print!("round {round}: {answer}");
        assert!(answer.contains("pg_wire_port"), "{answer}");
        assert_eq!(questions.map(|sql| peer.ask(sql)), before);
        let row = peer
            .runtime
            .block_on(peer.client.query_one(&statement, &[&21]));
        assert_eq!(row.expect("it is prepared still").get::<_, i32>(0), 42);
    }
    // Who stays in a transaction stays where he is, and so does everybody.
    peer.run("begin; insert into history values (1, 0, -1)");
    let refused = guest.try_push(&["pg_wire_port"]);
    let why = format!("{refused:?}");
    assert!(matches!(refused, Err(ClientError::Refused(_))), "{why}");
    assert!(why.contains("pg_wire_port cannot move now"), "{why}");
    load.advance(CLIENTS as u64);
    peer.run("commit");
    print!("afterwards: {}", push(&guest, &["pg_wire_port"]));
    load.advance(CLIENTS as u64);
    let tally = load.stop();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!(check(&guest), tally.committed + 1);
}

#[test]
fn storage_moves_through_the_disk_under_load() {
    let _alone = alone();
    let guest = Guest::boot();
    set_up(&guest);
    let load = Load::start(guest.port(), CLIENTS);
    for round in 0..3 {
        load.advance(CLIENTS as u64);
        let answer = push(&guest, &["pg_wal_port", "pg_buffer_port", "pg_txn_port"]);
        print!("round {round}: {answer}");
        for cell in ["pg_wal", "pg_buffer", "pg_txn", "pg_wire_port"] {
            assert!(answer.contains(cell), "{answer}");
        }
    }
    load.advance(CLIENTS as u64);
    let tally = load.stop();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!(check(&guest), tally.committed);
}

fn git(root: &Path, index: &Path, arguments: &[&str]) -> String {
    let out = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["-c", "user.name=test", "-c", "user.email=test@localhost"])
        .args(arguments)
        .env("GIT_INDEX_FILE", index)
        .output()
        .expect("git runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "git {arguments:?}: {said}");
    String::from_utf8_lossy(&out.stdout).trim().to_string()
}

/// The working tree as a revision that no branch knows, and its neighbour, in which
/// a port has another interface. An index of its own leaves the repository's alone.
fn neighbours() -> (Revision, Revision) {
    let paths = system_tests::image();
    let root = paths.root();
    let index = paths
        .target()
        .join(format!("test-index-{}", std::process::id()));
    let commit = |subject: &str| {
        let tree = git(root, &index, &["write-tree"]);
        let commit = git(root, &index, &["commit-tree", &tree, "-m", subject]);
        Revision {
            commit,
            subject: subject.into(),
        }
    };
    git(root, &index, &["read-tree", "HEAD"]);
    git(root, &index, &["add", "--all"]);
    let here = commit("the working tree");
    let file = "pg_cells/pg_executor/port/src/lib.rs";
    let mut text = std::fs::read_to_string(root.join(file)).expect("the port has a root");
    text += "\n/// Added by a test.\npub fn added(n: u32) -> u32 {\n    n + 1\n}\n";
    let changed = paths
        .target()
        .join(format!("test-source-{}", std::process::id()));
    std::fs::write(&changed, text).expect("the file is written");
    let name = changed.to_string_lossy();
    let blob = git(root, &index, &["hash-object", "-w", &name]);
    let entry = format!("100644,{blob},{file}");
    git(root, &index, &["update-index", "--cacheinfo", &entry]);
    let there = commit("a port with another interface");
    std::fs::remove_file(&index).expect("the index was made");
    std::fs::remove_file(&changed).expect("the file was written");
    (here, there)
}

fn go(guest: &Guest, revision: &Revision) -> Plan {
    let parts = revision.build(system_tests::image()).expect("it builds");
    let running = Running::ask(guest.instance()).expect("the guest answers");
    let plan = upgrade::plan(&parts, &running);
    print!("{}", plan.text());
    upgrade::carry_out(&plan, &parts, guest.instance(), LIMIT, |number, taken| {
        println!("{number}: {taken:?}");
    })
    .expect("every set is taken");
    let history = guest.shell("cells --history pg_executor");
    let last = history.lines().rfind(|line| line.contains(" pause "));
    assert!(
        last.is_some_and(|line| line.contains(revision.label())),
        "{history}"
    );
    plan
}

#[test]
fn a_system_goes_to_another_revision_and_back_under_load() {
    let _alone = alone();
    let guest = Guest::boot();
    set_up(&guest);
    let (here, there) = neighbours();
    let load = Load::start(guest.port(), CLIENTS);
    load.advance(CLIENTS as u64);
    for revision in [&there, &here] {
        let plan = go(&guest, revision);
        assert!(plan.is_whole(), "{}", plan.text());
        for port in ["pg_executor_port", "pg_wire_port"] {
            assert!(
                plan.ports.iter().any(|name| name == port),
                "{}",
                plan.text()
            );
        }
        load.advance(CLIENTS as u64);
    }
    let tally = load.stop();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!(check(&guest), tally.committed);
    // It runs what it was booted with again.
    let parts = here.build(system_tests::image()).expect("it builds");
    let running = Running::ask(guest.instance()).expect("the guest answers");
    let plan = upgrade::plan(&parts, &running);
    assert!(
        plan.sets.is_empty() && plan.left.is_empty(),
        "{}",
        plan.text()
    );
}
