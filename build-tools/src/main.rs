//! The command line of Mitos: `cargo run -- COMMAND`.

fn main() {
    println!("mitos");
}
