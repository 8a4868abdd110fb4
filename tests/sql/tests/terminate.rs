//! `pg_terminate_backend`: a session ends whatever it does, its client is told why, and
//! nothing of it stays.

use isolation::client::Client;

fn query(client: &mut Client, sql: &str) -> Vec<String> {
    let answer = client.query(sql).expect("an answer");
    assert_eq!(answer.error, None, "{sql}");
    answer.lines()
}

/// Terminates a session and waits until it has ended.
fn terminate(by: &mut Client, pid: u32) {
    let sql = format!("SELECT pg_terminate_backend({pid}, 60000)");
    assert_eq!(query(by, &sql), ["t"]);
}

fn is_told(answer: std::io::Result<isolation::client::Answer>) {
    let error = answer.expect("last words").error.expect("an error");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        (
            "57P01",
            "terminating connection due to administrator command"
        )
    );
}

/// Waits until a session runs something, or waits for a lock.
fn wait_until(by: &mut Client, pid: u32, what: &str) {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND {what}");
    while query(by, &sql) != ["1"] {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

#[test]
fn a_session_ends_whatever_it_does() {
    let port = host_server::start();
    let connect = || Client::connect(port).expect("a server");
    let mut admin = connect();
    query(&mut admin, "CREATE TABLE held (id int PRIMARY KEY)");
    query(&mut admin, "INSERT INTO held VALUES (1)");

    // It waits for a command.
    let mut idle = connect();
    terminate(&mut admin, idle.pid);
    is_told(idle.last_words());
    assert!(idle.query("SELECT 1").is_err());

    // Within a transaction: its locks and changes go.
    let mut open = connect();
    query(&mut open, "BEGIN");
    query(&mut open, "DELETE FROM held");
    // Another one waits for that.
    let mut waiting = connect();
    let pid = waiting.pid;
    let waiter = std::thread::spawn(move || waiting.query("SELECT * FROM held FOR UPDATE"));
    wait_until(&mut admin, pid, "wait_event_type = 'Lock'");
    terminate(&mut admin, pid);
    is_told(waiter.join().expect("a thread"));
    terminate(&mut admin, open.pid);
    is_told(open.last_words());
    assert_eq!(query(&mut admin, "SELECT * FROM held FOR UPDATE"), ["1"]);

    // It computes.
    let mut busy = connect();
    let pid = busy.pid;
    let worker = std::thread::spawn(move || {
        busy.query("SELECT count(*) FROM generate_series(1, 1000000000000)")
    });
    wait_until(&mut admin, pid, "state = 'active'");
    terminate(&mut admin, pid);
    is_told(worker.join().expect("a thread"));

    // It ends itself.
    let mut own = connect();
    is_told(own.query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(100)"));

    let left = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
    while query(&mut admin, left) != ["0"] {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let locks = "SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid()";
    assert_eq!(query(&mut admin, locks), ["0"]);
    // There is none of that number; there is no time before now.
    assert_eq!(
        query(&mut admin, "SELECT pg_terminate_backend(2147483647)"),
        ["f"]
    );
    let answer = admin
        .query("SELECT pg_terminate_backend(1, -1)")
        .expect("an answer");
    assert_eq!(answer.code(), "22003");
    query(&mut admin, "DROP TABLE held");
}
