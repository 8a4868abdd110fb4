//! Promise: cells are pushed into the running system, and only those that the
//! holder of the key has signed; nothing on the control line harms the system.

use std::io::Write;
use std::os::unix::net::UnixStream;

use cell_archive::Archive;
use mitos::client::ClientError;
use system_tests::Guest;

#[test]
fn a_push_replaces_a_cell() {
    let guest = Guest::boot();
    let answer = guest.push(&["counter"]);
    assert!(answer.contains("pause"), "{answer}");
    let cells = guest.shell("cells");
    let counter = cells.lines().find(|line| line.starts_with("counter "));
    assert!(
        counter.is_some_and(|line| line.contains("generation 2")),
        "{cells}"
    );
}

#[test]
fn what_is_not_signed_by_us_is_refused() {
    let guest = Guest::boot();
    let good = guest.pack(&["counter"]);
    let payload = Archive::parse(&good)
        .unwrap()
        .entries()
        .find(|e| e.name == "counter")
        .unwrap();
    let at = payload.payload.as_ptr() as usize - good.as_ptr() as usize;

    let mut other_table = good.clone();
    other_table[200] ^= 1;
    let mut other_payload = good.clone();
    other_payload[at + 100] ^= 1;
    let stranger = cell_archive::write::archive(&[], &[9; 32]);
    let short = good[..good.len() - 1].to_vec();
    let altered = [
        other_table,
        other_payload,
        stranger,
        short,
        b"MITOSCEL".to_vec(),
        Vec::new(),
    ];
    for (number, archive) in altered.iter().enumerate() {
        let verdict = guest.push_archive(archive);
        assert!(
            matches!(verdict, Err(ClientError::Refused(_))),
            "{number}: {verdict:?}"
        );
    }
    let cells = guest.shell("cells");
    let counter = cells.lines().find(|line| line.starts_with("counter "));
    assert!(
        counter.is_some_and(|line| line.contains("generation 1")),
        "{cells}"
    );
    guest.push_archive(&good).unwrap();
}

#[test]
fn noise_on_the_control_line_does_no_harm() {
    let guest = Guest::boot();
    let mut line = UnixStream::connect(guest.instance().control_socket()).unwrap();
    line.write_all(b"\0\xff hello\nOK 1 2\nMITOS1 SHELL 1 99999999999999999999\n")
        .unwrap();
    // A request whose asker goes away in its middle.
    line.write_all(b"MITOS1 PUSH 7 1000\nabc").unwrap();
    drop(line);
    // Half a frame is forgotten after a while; until then questions are lost.
    let mut answered = false;
    for _ in 0..10 {
        let limit = std::time::Duration::from_secs(3);
        answered = mitos::client::shell(guest.instance(), "cells", limit).is_ok();
        if answered {
            break;
        }
    }
    assert!(
        answered,
        "the system does not recover from noise on its control line"
    );
}
