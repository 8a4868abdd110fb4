//! The service over sockets of the host.

use port::Options;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

#[test]
fn ordinary_clients_get_back_what_they_send() {
    let port = 40_000 + (std::process::id() % 20_000) as u16;
    port::start(&host_net::CELL, &Options::parse("")).unwrap();
    port::start(&echo::CELL, &Options::parse("")).unwrap();
    echo_port::start(port).unwrap();
    assert!(echo_port::start(port).is_err());
    let clients: Vec<_> = (0..20u8)
        .map(|n| {
            std::thread::spawn(move || {
                let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let sent: Vec<u8> = (0..300_000).map(|i: u32| (i as u8) ^ n).collect();
                let mut reader = socket.try_clone().unwrap();
                let all = sent.clone();
                let writer = std::thread::spawn(move || {
                    socket.write_all(&all).unwrap();
                    socket.shutdown(Shutdown::Write).unwrap();
                });
                let mut got = Vec::new();
                reader.read_to_end(&mut got).unwrap();
                writer.join().unwrap();
                assert!(got == sent);
            })
        })
        .collect();
    clients.into_iter().for_each(|c| c.join().unwrap());
}
