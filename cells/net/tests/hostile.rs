//! The stack against what nobody should send, and against faults beside it.

mod common;

use common::{Exchange, LONG, OURS, pattern, peer, swap, turn};
use host_net::fake::{Mischief, cable, random};
use host_net::peer::Peer;
use net_port::{NET, TcpListener};
use port::{CrashKind, Door};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::wire::{EthernetFrame, IpAddress, Ipv4Packet, TcpPacket};
use std::time::Duration;
use virtio_net_port::NIC;

/// A service that echoes until it is told to stop.
fn echo_service(port: u16) {
    let listener = TcpListener::bind(port).unwrap();
    std::thread::spawn(move || {
        while let Ok(stream) = listener.accept() {
            std::thread::spawn(move || {
                let mut bytes = [0; 2000];
                while let Ok(n @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&bytes[..n]).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// One proper exchange, to see that the stack is well.
fn exchange(port: u16) -> bool {
    let mut peer = peer();
    let handle = peer.connect(OURS, port);
    let mut exchange = Exchange::new(handle, pattern(9, 20_000));
    peer.run(LONG, |p| exchange.step(p)) && exchange.got == exchange.to_send
}

/// Makes the checksums right again where the frame still reads as TCP, so that
/// the damage gets past them.
fn repair(frame: &mut [u8]) {
    let Ok(mut ethernet) = EthernetFrame::new_checked(frame) else {
        return;
    };
    let Ok(mut ip) = Ipv4Packet::new_checked(ethernet.payload_mut()) else {
        return;
    };
    let (from, to): (IpAddress, IpAddress) = (ip.src_addr().into(), ip.dst_addr().into());
    if let Ok(mut tcp) = TcpPacket::new_checked(ip.payload_mut()) {
        tcp.fill_checksum(&from, &to);
    }
    ip.fill_checksum();
}

#[test]
fn damaged_frames_do_no_harm() {
    let _turn = turn();
    echo_service(7100);
    cable().tap();
    assert!(exchange(7100));
    let good = cable().tap();
    cable().untap();
    assert!(good.len() > 8);
    let before = NET.enter().unwrap().status().counters;
    let mut state = 0x5eed;
    for n in 0..30_000 {
        let mut frame = good[random(&mut state) as usize % good.len()].clone();
        for _ in 0..1 + random(&mut state) % 4 {
            let at = random(&mut state) as usize % frame.len().min(80);
            frame[at] = random(&mut state) as u8;
        }
        if random(&mut state).is_multiple_of(5) {
            frame.truncate(random(&mut state) as usize % frame.len());
        }
        if !random(&mut state).is_multiple_of(4) {
            repair(&mut frame);
        }
        cable().send(frame);
        while n % 100 == 0 && cable().take().is_some() {}
    }
    assert!(exchange(7100));
    let after = NET.enter().unwrap().status().counters;
    assert!(after.frames_in >= before.frames_in + 30_000);
    assert_eq!(after.faults, before.faults);
    cable().set_trouble(1, Default::default());
}

#[test]
fn a_fault_under_the_lock_costs_one_connection() {
    let _turn = turn();
    let listener = TcpListener::bind(7110).unwrap();
    let mut peer = peer();
    let all: Vec<_> = (0..8).map(|_| peer.connect(OURS, 7110)).collect();
    let open = |p: &Peer| {
        let state = |h: &SocketHandle| p.sockets.get::<Socket<'_>>(*h).state();
        all.iter()
            .filter(|h| state(h) == State::Established)
            .count()
    };
    assert!(peer.run(LONG, |p| open(p) == 8));
    let streams: Vec<_> = (0..8).map(|_| listener.accept().unwrap()).collect();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    // The sender's own code faults, or the background loop's, while it writes a frame
    // of a connection.
    cable().plan(Mischief::NoRoom);
    let broken = (0..1000).any(|n| streams[n % 8].write_all(b"x").is_err());
    std::panic::set_hook(hook);
    assert!(broken, "no fault under the lock");
    assert!(NET.enter().unwrap().status().counters.faults > 0);
    // The peers of the others do not notice; the one learns of it.
    assert!(peer.run(LONG, |p| open(p) == 7));
    assert!(!peer.run(Duration::from_millis(50), |p| open(p) < 7));
    let alive = streams.iter().filter(|s| s.write_all(b"y").is_ok());
    assert_eq!(alive.count(), 7);
    echo_service(7111);
    assert!(exchange(7111));
}

#[test]
fn a_fault_of_the_driver_costs_no_connection() {
    let _turn = turn();
    echo_service(7112);
    let mut peer = peer();
    let handle = peer.connect(OURS, 7112);
    let mut exchange = Exchange::new(handle, pattern(13, 2_000_000));
    // Not by asking for the status: that is a call of the driver, too.
    let state = net_port::state::survivor().unwrap();
    let faults = || state.with(|stack| stack.counters.faults);
    let (before, mut planned) = (faults(), 0);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut rounds = 0;
    let done = peer.run(LONG, |p| {
        rounds += 1;
        match rounds % 24 {
            0 => planned += u64::from(cable().plan(Mischief::FaultBefore)),
            8 => planned += u64::from(cable().plan(Mischief::FaultAfter)),
            16 => planned += u64::from(NIC.inject(CrashKind::Panic)),
            _ => {}
        }
        exchange.step(p)
    });
    std::panic::set_hook(hook);
    // Neither lost, nor a byte of it lost or doubled.
    assert!(done && exchange.got == exchange.to_send);
    assert!(planned > 10, "only {planned} faults");
    assert!(faults() > before);
}

#[test]
fn replacing_the_driver_between_packets_does_no_harm() {
    let _turn = turn();
    echo_service(7120);
    let mut peer = peer();
    let handle = peer.connect(OURS, 7120);
    let mut exchange = Exchange::new(handle, pattern(12, 500_000));
    let mut rounds = 0;
    let done = peer.run(LONG, |p| {
        rounds += 1;
        if rounds % 16 == 0 {
            // Closed for a while: what is to be sent is sent later.
            NIC.close();
            NIC.drain(task_port::now() + 1_000_000_000).unwrap();
            if rounds % 32 == 0 {
                // The stack is replaced while the driver is closed: nobody
                // inside waits for it.
                swap();
            }
            NIC.open();
        }
        exchange.step(p)
    });
    assert!(done && exchange.got == exchange.to_send);
    assert!(rounds > 50);
}

#[test]
fn a_first_answer_waits_for_the_neighbour_no_longer_than_needed() {
    let _turn = turn();
    echo_service(7130);
    assert!(exchange(7130));
    let mut peer = peer();
    let handle = peer.connect(OURS, 7130);
    assert!(peer.run(LONG, |p| p.socket(handle).state() == State::Established));
    // All addresses are forgotten, as after a minute of silence.
    let state = net_port::state::survivor().unwrap();
    state.with(|stack| stack.interface.update_ip_addrs(|_| {}));
    // The peer still knows ours, so its first frame is the connection's; our
    // answer's own timer would try again after a second.
    let second = peer.connect(OURS, 7130);
    assert!(peer.run(Duration::from_millis(900), |p| {
        p.socket(second).state() == State::Established
    }));
}
