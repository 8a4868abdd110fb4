//! The storage cells in a world that follows from a seed.
//!
//! `pg_wal`, `pg_buffer`, `pg_txn`, `pg_heap` and `pg_btree` run as they are, on
//! a simulated disk, clock and scheduler (`sim_disk`, `task_port::simulate`).
//! Tasks make transactions, tables come and go, vacuum and checkpoints run, cells
//! are swapped; the power fails, in recovery too, and requests fail. A model
//! ([`model`]) knows what every snapshot must see and what must have survived.
//!
//! | file | what |
//! |---|---|
//! | `plan.rs` | what a seed stands for |
//! | `run.rs` | one seed from start to end |
//! | `world.rs` | the system under test, and which errors are allowed |
//! | `work.rs`, `txn.rs` | what the tasks do |
//! | `model.rs`, `check.rs` | what must be true |
//! | `main.rs` | any number of seeds, or one of them again |
#![forbid(unsafe_code)]

pub mod check;
pub mod log;
pub mod model;
pub mod plan;
pub mod row;
pub mod run;
pub mod txn;
pub mod work;
pub mod world;
