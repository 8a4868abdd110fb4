//! Promise: when the disk refuses a write of the log, the commit that waits for it is
//! not acknowledged, and storage starts anew by itself, under the connections.

use system_tests::Guest;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

/// Where the log lies on the disk, and how far into it writes begin to fail. What a
/// new database logs is less.
const LOG: u64 = 64 << 10;
const FAILS_AT: u64 = 12 << 20;
/// The driver asks four times for each write, and the first starts anew are to fail.
const FAILURES: u32 = 4 * 3;

/// Rows of one statement, and how large they are.
const ROWS: i32 = 50;
const ADD: &str = "insert into kept select $1 * 1000 + g, repeat('x', 1000) \
                   from generate_series(1, 50) g";

/// Adds rows until something fails and 100 more statements were good: which were
/// acknowledged, and what the others were told.
async fn work(client: &Client) -> (Vec<i32>, Vec<(i32, SqlState)>) {
    let statement = client.prepare(ADD).await.expect("the statement is fine");
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    let mut since = 0;
    for number in 1.. {
        match client.execute(&statement, &[&number]).await {
            Ok(_) => {
                done.push(number);
                since += u32::from(!failed.is_empty());
            }
            Err(error) => {
                let code = error.code().cloned().expect("the connection lives on");
                failed.push((number, code));
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        if since >= 100 {
            break;
        }
        assert!(done.len() < 2_000, "no write has failed");
        assert!(failed.len() < 1_000, "storage does not come back");
    }
    (done, failed)
}

#[test]
fn storage_starts_anew_after_a_failed_write_of_the_log() {
    let mut guest = Guest::boot_with(|config| {
        config.bad_writes = vec![(LOG + FAILS_AT, FAILURES)];
    });
    guest.sql("create table kept (id int primary key, v text)");
    let address = format!("host=127.0.0.1 port={} user=postgres", guest.port());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (done, failed) = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&address, NoTls)
            .await
            .expect("the guest answers");
        tokio::spawn(connection);
        work(&client).await
    });
    println!("{} statements done, failed: {failed:?}", done.len());
    // The one that waited for the log, and those that came before storage was back.
    assert_eq!(failed[0].1, SqlState::IO_ERROR);
    let fine = [
        SqlState::IO_ERROR,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ];
    assert!(
        failed.iter().all(|(_, code)| fine.contains(code)),
        "{failed:?}"
    );
    let console = guest.console();
    for words in ["starting anew from the log", "storage: back after"] {
        assert!(console.contains(words), "the log says `{words}`");
    }
    assert!(guest.shell("log 200").contains("storage: back after"));

    let check = |guest: &Guest| {
        let count =
            format!("select id / 1000, count(*) from kept group by 1 having count(*) <> {ROWS}");
        assert_eq!(guest.sql(&count), "", "each statement wholly or not at all");
        let numbers = guest.sql("select distinct id / 1000 from kept");
        let found: Vec<i32> = numbers
            .lines()
            .map(|n| n.parse().expect("a number"))
            .collect();
        assert!(done.iter().all(|number| found.contains(number)));
        // Of those that failed, only one that was in doubt may be there.
        let extra = found.iter().filter(|n| !done.contains(n));
        assert!(extra.count() <= 1);
    };
    check(&guest);
    assert!(guest.shell("check").contains("sound"));
    guest.kill();
    guest.reboot();
    check(&guest);
    guest.stop();
}
