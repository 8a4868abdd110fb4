//! Isolation, shown on the whole database in one host process.
//!
//! - [`spec`]: scripts of sessions, their steps, and orders of the steps
//! - [`run`]: runs them; a step that waits for another session is noted as such
//! - [`client`], [`server`]: the protocol, and whether a session waits
//! - [`session`]: a connection that may be left waiting
//! - [`history`]: lists that transactions read and append to, and the search for
//!   what no serial order explains
//! - [`workload`], [`interleave`]: making such histories
//!
//! What a script prints lies beside it (`specs/NAME.out`), recorded from
//! PostgreSQL by `cargo run -p isolation --example record`; Mitos must print the
//! same.
#![forbid(unsafe_code)]

pub mod client;
pub mod history;
pub mod interleave;
pub mod run;
pub mod server;
pub mod session;
pub mod spec;
pub mod workload;
