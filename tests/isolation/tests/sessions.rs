//! What ends sessions and their transactions from outside, and ids beyond 32 bits.

mod common;

use common::Mitos;
use isolation::client::Client;
use isolation::server::Server;
use rows::alone;

fn ok(client: &mut Client, sql: &str) -> Vec<String> {
    let answer = client.query(sql).expect("an answer");
    assert_eq!(answer.error, None, "{sql}");
    answer.lines()
}

#[test]
fn a_client_that_leaves_its_transaction_open_is_sent_away() {
    let _alone = alone();
    let port = Mitos::start().port();
    let mut other = Client::connect(port).expect("a connection");
    ok(&mut other, "CREATE TABLE left_open (a int)");
    let mut client = Client::connect(port).expect("a connection");
    ok(
        &mut client,
        "SET idle_in_transaction_session_timeout = '30ms'",
    );
    ok(&mut client, "SELECT pg_advisory_lock(77)");
    ok(&mut client, "BEGIN");
    ok(&mut client, "LOCK TABLE left_open");
    let last = client.last_words().expect("last words");
    assert_eq!(last.code(), "25P03");
    // What it held is free; of the session's own locks too, once it has ended.
    assert_eq!(ok(&mut other, "SELECT count(*) FROM left_open"), ["0"]);
    assert_eq!(ok(&mut other, "SELECT pg_advisory_lock(77)"), [""]);
    ok(&mut other, "DROP TABLE left_open");
}

#[test]
fn an_idle_session_ends_when_it_asked_for_it() {
    let _alone = alone();
    let port = Mitos::start().port();
    let mut client = Client::connect(port).expect("a connection");
    ok(&mut client, "SET idle_session_timeout = '30ms'");
    let last = client.last_words().expect("last words");
    assert_eq!(last.code(), "57P05");
}
