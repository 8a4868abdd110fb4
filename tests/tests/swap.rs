//! Promise: connections live while the parts below them are replaced.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use system_tests::Guest;

const CLIENTS: usize = 8;
const SWAPS: usize = 10;
const CELLS: [&str; 3] = ["net", "nvme", "virtio_net"];

/// Sends numbered messages of growing length and compares what comes back, until
/// told to stop. Gives the number of round trips.
fn converse(
    port: u16,
    client: usize,
    stop: &AtomicBool,
    total: &AtomicU64,
) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_nodelay(true)?;
    let mut rounds = 0u64;
    while !stop.load(Ordering::Relaxed) {
        let len = 1 + (rounds as usize * 37) % 3000;
        let sent: Vec<u8> = (0..len)
            .map(|i| (i as u64 + rounds + client as u64) as u8)
            .collect();
        stream.write_all(&sent)?;
        let mut back = vec![0; len];
        stream.read_exact(&mut back)?;
        assert!(
            back == sent,
            "client {client}: round {rounds} came back changed"
        );
        rounds += 1;
        total.fetch_add(1, Ordering::Relaxed);
    }
    Ok(rounds)
}

#[test]
fn echo_connections_live_through_swaps_of_network_and_disk() {
    let guest = Guest::boot_with(|config| config.append.push("echo=5432".into()));
    let port = guest.port();
    let stop = Arc::new(AtomicBool::new(false));
    let total = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (stop, total) = (Arc::clone(&stop), Arc::clone(&total));
            std::thread::spawn(move || converse(port, client, &stop, &total))
        })
        .collect();
    for round in 0..SWAPS {
        for cell in CELLS {
            // Each swap happens with traffic before and after it.
            let before = total.load(Ordering::Relaxed);
            let answer = guest.shell(&format!("swap {cell}"));
            print!("round {round}: {answer}");
            while total.load(Ordering::Relaxed) < before + CLIENTS as u64 {
                assert!(
                    !clients.iter().any(|c| c.is_finished()),
                    "a client ended before it was told to"
                );
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let rounds = client
            .join()
            .expect("no client panics")
            .expect("no connection is lost");
        assert!(rounds > 0);
    }
    let cells = guest.shell("cells");
    for cell in CELLS {
        let line = cells
            .lines()
            .find(|l| l.starts_with(cell))
            .expect("the cell is listed");
        assert!(line.contains(&format!("swaps {SWAPS}")), "{line}");
    }
}
