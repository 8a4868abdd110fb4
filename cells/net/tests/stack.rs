//! The stack against a peer that speaks TCP by the book, over a cable that may
//! lose and reorder, and across replacements.

mod common;

use common::{Exchange, LONG, OURS, pattern, peer, swap, turn};
use host_net::fake::{Trouble, cable};
use net_port::{NET, NetError, TcpListener, TcpStream};
use port::{CrashKind, Door};
use smoltcp::socket::tcp::State;
use smoltcp::wire::IpAddress;
use std::thread::JoinHandle;
use std::time::Duration;

/// Echoes `count` connections, each in a thread of its own.
fn echo(listener: TcpListener, count: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let each: Vec<_> = (0..count)
            .map(|_| {
                let stream = listener.accept().unwrap();
                std::thread::spawn(move || {
                    let mut bytes = [0; 3000];
                    loop {
                        match stream.read(&mut bytes).unwrap() {
                            0 => return,
                            n => stream.write_all(&bytes[..n]).unwrap(),
                        }
                    }
                })
            })
            .collect();
        each.into_iter().for_each(|t| t.join().unwrap());
    })
}

/// Echoes one transfer and tells how many bytes came back right.
fn transfer(port: u16, len: usize, mut meanwhile: impl FnMut()) {
    let server = echo(TcpListener::bind(port).unwrap(), 1);
    let mut peer = peer();
    let handle = peer.connect(OURS, port);
    let mut exchange = Exchange::new(handle, pattern(u64::from(port), len));
    let done = peer.run(LONG, |p| {
        meanwhile();
        exchange.step(p)
    });
    assert!(done, "{} of {len} bytes echoed", exchange.got.len());
    assert!(exchange.got == exchange.to_send, "the echo differs");
    server.join().unwrap();
    // The peer stays to acknowledge the end.
    peer.run(Duration::from_millis(15), |_| false);
}

#[test]
fn a_hundred_connections_are_echoed() {
    let _turn = turn();
    let server = echo(TcpListener::bind(7001).unwrap(), 100);
    let mut peer = peer();
    let mut all: Vec<Exchange> = (0..100)
        .map(|n| Exchange::new(peer.connect(OURS, 7001), pattern(n, 5_000)))
        .collect();
    let done = peer.run(LONG, |p| all.iter_mut().fold(true, |d, e| e.step(p) & d));
    assert!(done);
    assert!(all.iter().all(|e| e.got == e.to_send));
    server.join().unwrap();
}

#[test]
fn ipv6_connections_work_too() {
    let _turn = turn();
    let server = echo(TcpListener::bind(7002).unwrap(), 1);
    let mut peer = peer();
    let handle = peer.connect(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1), 7002);
    let mut exchange = Exchange::new(handle, pattern(3, 10_000));
    assert!(peer.run(LONG, |p| exchange.step(p)));
    assert_eq!(exchange.got, exchange.to_send);
    server.join().unwrap();
}

#[test]
fn a_bad_cable_costs_time_but_no_bytes() {
    let _turn = turn();
    for seed in 1..4 {
        cable().set_trouble(
            seed,
            Trouble {
                lost: 10,
                reordered: 50,
                doubled: 10,
            },
        );
        transfer(7010 + seed as u16, 200_000, || {});
    }
}

#[test]
fn transfers_do_not_notice_replacements() {
    let _turn = turn();
    let (mut swaps, mut rounds, mut worst) = (0, 0, Duration::ZERO);
    transfer(7020, 2_000_000, || {
        rounds += 1;
        if rounds % 10 == 0 {
            worst = worst.max(swap());
            swaps += 1;
        }
    });
    assert!(swaps > 20, "only {swaps} replacements");
    assert!(worst < Duration::from_millis(500), "paused for {worst:?}");
}

#[test]
fn a_fault_of_the_stack_costs_no_connection() {
    let _turn = turn();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut rounds = 0;
    transfer(7021, 1_000_000, || {
        rounds += 1;
        if rounds % 20 == 0 {
            NET.inject(CrashKind::Panic);
        }
    });
    std::panic::set_hook(hook);
    assert!(rounds > 20);
}

#[test]
fn the_peer_may_end_its_half_first() {
    let _turn = turn();
    let listener = TcpListener::bind(7030).unwrap();
    let server = std::thread::spawn(move || {
        let stream = listener.accept().unwrap();
        let mut all = Vec::new();
        let mut bytes = [0; 1000];
        loop {
            match stream.read(&mut bytes).unwrap() {
                0 => break,
                n => all.extend_from_slice(&bytes[..n]),
            }
        }
        // The other half still works: everything is answered after the end.
        stream.write_all_parts(&[&all, b"", &all]).unwrap();
        stream.shutdown().unwrap();
        assert_eq!(stream.write_all(b"x"), Err(NetError::Closed));
        assert_eq!(stream.read(&mut bytes), Ok(0));
    });
    let mut peer = peer();
    let handle = peer.connect(OURS, 7030);
    let mut exchange = Exchange::new(handle, pattern(30, 50_000));
    assert!(peer.run(LONG, |p| exchange.step(p)));
    assert_eq!(
        exchange.got,
        [pattern(30, 50_000), pattern(30, 50_000)].concat()
    );
    server.join().unwrap();
}

#[test]
fn a_close_behind_a_full_window_is_delivered_when_it_opens() {
    let _turn = turn();
    let listener = TcpListener::bind(7035).unwrap();
    let server = std::thread::spawn(move || {
        let stream = listener.accept().unwrap();
        assert_eq!(stream.read(&mut [0; 9]), Ok(1));
        assert_eq!(stream.read(&mut [0; 9]), Ok(0));
        stream.write_all(&pattern(35, 30_000)).unwrap();
    });
    let mut peer = peer();
    let handle = peer.connect(OURS, 7035);
    assert!(peer.run(LONG, |p| p.socket(handle).may_send()));
    peer.socket(handle).send_slice(b"x").unwrap();
    peer.socket(handle).close();
    // The window fills, and the server is long gone.
    assert!(peer.run(LONG, |p| p.socket(handle).recv_queue() == 16 * 1024));
    server.join().unwrap();
    assert!(!peer.run(Duration::from_millis(50), |_| false));
    let mut exchange = Exchange::new(handle, Vec::new());
    // Before any timer of the stack: the window's opening is enough.
    assert!(peer.run(Duration::from_millis(900), |p| exchange.step(p)));
    assert_eq!(exchange.got, pattern(35, 30_000));
}

#[test]
fn a_burst_of_connects_is_served_at_once() {
    let _turn = turn();
    let listener = TcpListener::bind(7040).unwrap();
    let mut peer = peer();
    let all: Vec<_> = (0..64).map(|_| peer.connect(OURS, 7040)).collect();
    let open = |p: &mut host_net::peer::Peer| {
        let mut open = all
            .iter()
            .map(|h| p.sockets.get::<smoltcp::socket::tcp::Socket<'_>>(*h));
        open.all(|s| s.state() == State::Established)
    };
    // Less than the first retransmission: none was dropped.
    assert!(peer.run(Duration::from_millis(900), open));
    let streams: Vec<TcpStream> = (0..64).map(|_| listener.accept().unwrap()).collect();
    let mut peers: Vec<_> = streams.iter().map(TcpStream::peer).collect();
    peers.sort();
    peers.dedup();
    assert_eq!(peers.len(), 64);
}

#[test]
fn ports_nobody_listens_on_refuse() {
    let _turn = turn();
    let mut peer = peer();
    let handle = peer.connect(OURS, 7050);
    assert!(peer.run(LONG, |p| p.socket(handle).state() == State::Closed));
    // And so does one that has been closed, with connections it had not given
    // out.
    let listener = TcpListener::bind(7051).unwrap();
    assert!(matches!(TcpListener::bind(7051), Err(NetError::BadAddress)));
    let waiting = peer.connect(OURS, 7051);
    assert!(peer.run(LONG, |p| p.socket(waiting).state() == State::Established));
    drop(listener);
    assert!(peer.run(LONG, |p| p.socket(waiting).state() == State::Closed));
    drop(TcpListener::bind(7051).unwrap());
}

#[test]
fn a_reset_reaches_the_reader() {
    let _turn = turn();
    let listener = TcpListener::bind(7060).unwrap();
    let mut peer = peer();
    let handle = peer.connect(OURS, 7060);
    assert!(peer.run(LONG, |p| p.socket(handle).state() == State::Established));
    let stream = listener.accept().unwrap();
    let soon = task_port::now() + 1_000_000;
    assert_eq!(
        stream.read_deadline(&mut [0; 9], soon),
        Err(NetError::Deadline)
    );
    let reader = std::thread::spawn(move || stream.read(&mut [0; 9]));
    peer.socket(handle).abort();
    assert!(peer.run(LONG, |_| reader.is_finished()));
    assert_eq!(reader.join().unwrap(), Err(NetError::Reset));
}

#[test]
fn closed_connections_leave_nothing_behind() {
    let _turn = turn();
    let before = NET.enter().unwrap().status();
    for n in 0..20 {
        transfer(7070, 100 + n, || {});
    }
    let end = std::time::Instant::now() + LONG;
    loop {
        let now = NET.enter().unwrap().status();
        assert_eq!(now.counters.accepted, before.counters.accepted + 20);
        // Those of earlier tests may end too.
        if now.streams + now.lingering <= before.streams + before.lingering {
            break;
        }
        assert!(std::time::Instant::now() < end, "{now:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
