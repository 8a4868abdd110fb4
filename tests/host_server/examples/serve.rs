//! Serves until it is ended: `cargo run -p host_server --example serve -- 5433`.

fn main() {
    let port = std::env::args().nth(1).and_then(|a| a.parse().ok());
    let port = host_server::start_on(port.unwrap_or(0));
    println!("ready on 127.0.0.1:{port}");
    loop {
        std::thread::park();
    }
}
