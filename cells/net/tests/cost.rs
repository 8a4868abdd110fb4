//! What a request and its answer cost in the stack, by number of connections.
//!
//! The cost must not grow with the connections. The table is in the README;
//! `cargo test --release -p net --test cost -- --nocapture` prints it anew.

mod common;

use common::OURS;
use host_net::fake;
use net_port::{Answer, ListenOptions, NET, StreamId};
use port::Options;
use smoltcp::socket::tcp::State;
use std::time::{Duration, Instant};

const REQUESTS: usize = 4_000;

/// The stack's share of a request: a round, receive, send, and a receive that
/// has to wait. Not inlined, so that `callgrind --toggle-collect=*serve*`
/// counts its instructions.
#[inline(never)]
fn serve(stream: StreamId, got: &mut [u8], answer: &[u8]) {
    let net = || NET.enter().unwrap();
    while net().poll().more {}
    assert_eq!(net().recv(stream, got), Ok(Answer::Ready(100)));
    assert_eq!(net().send(stream, &[answer]), Ok(Answer::Ready(300)));
    assert!(matches!(net().recv(stream, got), Ok(Answer::Wait(_))));
}

/// Nanoseconds for taking a request of 100 bytes and sending 300 back.
fn cost(connections: usize, port: u16) -> f64 {
    let net = || NET.enter().unwrap();
    let mut options = ListenOptions::new(port);
    options.backlog = connections;
    let listening = net().listen(options).unwrap();
    let mut peer = common::peer();
    let handles: Vec<_> = (0..connections).map(|_| peer.connect(OURS, port)).collect();
    let connected = peer.run(Duration::from_secs(60), |p| {
        while net().poll().more {}
        let all = handles.iter();
        all.filter(|h| p.socket(**h).state() != State::Established)
            .count()
            == 0
    });
    assert!(connected);
    while net().poll().more {}
    let mut streams = std::collections::HashMap::new();
    while let Answer::Ready(accepted) = net().accept(listening.id).unwrap() {
        streams.insert(accepted.peer.port(), accepted.id);
    }
    assert_eq!(streams.len(), connections);
    let mut spent = Duration::ZERO;
    let (request, answer) = ([1; 100], [2; 300]);
    for n in 0..REQUESTS {
        let handle = handles[(n * 7) % connections];
        let socket = peer.socket(handle);
        let stream = streams[&socket.local_endpoint().unwrap().port];
        socket.send_slice(&request).unwrap();
        peer.poll();
        let mut got = [0; 2_000];
        let start = Instant::now();
        serve(stream, &mut got, &answer);
        spent += start.elapsed();
        peer.poll();
        let socket = peer.socket(handle);
        assert_eq!(socket.recv_slice(&mut got), Ok(300));
    }
    net().unlisten(listening.id);
    spent.as_nanos() as f64 / REQUESTS as f64
}

#[test]
fn cost_does_not_grow_with_connections() {
    let options = Options::parse("ip=10.0.0.1/24 ip6=off");
    port::start(&fake::CELL, &options).unwrap();
    port::start(&net::CELL, &options).unwrap();
    cost(1, 7200);
    let all: Vec<(usize, f64)> = (7201..)
        .zip([1, 8, 100, 1000])
        .map(|(port, n)| (n, cost(n, port)))
        .collect();
    for (n, ns) in &all {
        println!("{n:5} connections: {ns:6.0} ns a request and answer");
    }
    // Caches get colder; walking a thousand sockets would cost fifty times.
    assert!(all[3].1 < all[0].1 * 8.0, "{all:?}");
}
