//! Promise: connections live while the parts below them are replaced.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
    begun: &AtomicU64,
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
        if rounds == 0 {
            begun.fetch_add(1, Ordering::Relaxed);
        }
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
    let begun = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (stop, begun) = (Arc::clone(&stop), Arc::clone(&begun));
            let total = Arc::clone(&total);
            std::thread::spawn(move || converse(port, client, &stop, &begun, &total))
        })
        .collect();
    // QEMU takes connections one by one, so some begin late.
    let limit = Instant::now() + system_tests::LIMIT;
    while begun.load(Ordering::Relaxed) < CLIENTS as u64 {
        assert!(Instant::now() < limit, "not all clients get an answer");
        std::thread::sleep(Duration::from_millis(1));
    }
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

#[test]
fn a_cell_that_faults_at_birth_is_refused_once_and_the_old_one_serves() {
    let guest = Guest::boot_with(|config| config.append.push("counter_faulty=panic".into()));
    let refused = guest.try_shell("swap counter with counter_faulty");
    assert!(refused.is_err(), "{refused:?}");
    // A good successor takes over from the one that never stopped serving.
    guest.shell("swap counter shell");
    let history = guest.shell("cells --history");
    assert_eq!(history.matches("refused").count(), 1, "{history}");
    let cells = guest.shell("cells");
    let counter = cells
        .lines()
        .find(|l| l.starts_with("counter "))
        .expect("the counter is listed");
    assert!(
        counter.contains("faults 0") && counter.contains("swaps 1"),
        "{counter}"
    );
}
