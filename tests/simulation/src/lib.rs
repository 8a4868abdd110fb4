//! The storage cells in a world that follows from a seed.
//!
//! `pg_wal`, `pg_buffer`, `pg_txn`, `pg_heap` and `pg_btree` run as they are, on
//! a simulated disk, clock and scheduler (`sim_disk`, `task_port::simulate`).
//! Tasks make transactions, tables come and go, vacuum and checkpoints run, cells
//! are swapped and panic; the power fails, in recovery too, requests fail, and storage
//! starts anew under those who work; bits rot. A model
//! ([`model`]) knows what every snapshot must see and what must have survived.
//!
//! | file | what |
//! |---|---|
//! | `plan.rs` | what a seed stands for |
//! | `run.rs` | one seed from start to end |
//! | `world.rs` | the system under test, and which errors are allowed |
//! | `work.rs`, `txn.rs` | what the tasks do |
//! | `model.rs`, `check.rs` | what must be true |
//! | `serial.rs` | that serializable transactions could have run one by one |
//! | `rot.rs` | that damage is found |
//! | `main.rs` | any number of seeds, or one of them again |
#![forbid(unsafe_code)]

pub mod check;
pub mod log;
pub mod model;
pub mod plan;
pub mod rot;
pub mod row;
pub mod run;
pub mod serial;
mod stop;
pub mod txn;
pub mod work;
pub mod world;
