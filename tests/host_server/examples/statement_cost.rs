//! What statements cost without the network, to be run under a profiler that
//! counts instructions: `statement_cost prepared 10000`, `statement_cost simple 10000`,
//! `statement_cost update 10000`. Prints nanoseconds a statement.

use pg_wire_port::{Session, Step, WIRE};
use std::time::Instant;

fn send(session: &mut Session, tag: u8, body: &[u8]) {
    let step = WIRE.enter().expect("the wire").step(session, tag, body);
    assert_ne!(step, Step::Close);
}

fn query(session: &mut Session, sql: &str) {
    send(session, b'Q', &[sql.as_bytes(), b"\0"].concat());
    let answer = session.out.take();
    assert!(
        !answer.starts_with(b"E"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[inline(never)]
fn prepared(session: &mut Session, key: i32) {
    let key = key.to_be_bytes();
    let bind = [&b"\0p\0\0\x01\0\x01\0\x01\0\0\0\x04"[..], &key, b"\0\0"].concat();
    send(session, b'B', &bind);
    send(session, b'E', b"\0\0\0\0\0");
    send(session, b'S', b"");
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap_or_else(|| "prepared".into());
    let times: i32 = args.next().and_then(|a| a.parse().ok()).unwrap_or(10_000);
    host_server::start();
    let mut session = Session::new(None);
    send(&mut session, 0, b"\x00\x03\x00\x00user\0postgres\0\0");
    query(&mut session, "CREATE TABLE cost (a int PRIMARY KEY, b int)");
    query(
        &mut session,
        "INSERT INTO cost SELECT g, g FROM generate_series(0, 9999) g",
    );
    query(&mut session, "ANALYZE cost");
    send(
        &mut session,
        b'P',
        b"p\0SELECT b FROM cost WHERE a = $1\0\0\0",
    );
    send(&mut session, b'S', b"");
    let start = Instant::now();
    for n in 0..times {
        let key = n.wrapping_mul(7919).rem_euclid(10_000);
        match mode.as_str() {
            "prepared" => prepared(&mut session, key),
            "simple" => query(
                &mut session,
                &format!("SELECT b FROM cost WHERE a = {key};"),
            ),
            _ => query(
                &mut session,
                &format!("UPDATE cost SET b = b + 1 WHERE a = {key};"),
            ),
        }
        drop(session.out.take());
    }
    let each = start.elapsed().as_nanos() / times.unsigned_abs().max(1) as u128;
    println!("{mode:12} {each:>8} ns");
}
