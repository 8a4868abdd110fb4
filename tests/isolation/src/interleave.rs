//! A history whose interleaving is the seed's: one driver sends one statement of
//! one client at a time and goes on when everybody has answered or waits. What
//! many threads do by chance, and seldom, happens here in every few
//! transactions, and again with the same seed.

use crate::client::Client;
use crate::history::Txn;
use crate::server::Server;
use crate::session::{HANGS, Session};
use crate::workload::{Actor, Plan, SETUP, last_reads};
use sim_disk::Random;
use std::time::{Duration, Instant};

/// Runs `clients` until they have begun `statements` statements; gives the history.
///
/// # Panics
/// When the server does not answer.
#[must_use]
pub fn history(
    server: &dyn Server,
    plan: Plan,
    seed: u64,
    clients: u64,
    statements: u32,
) -> Vec<Txn> {
    let mut control = Client::connect(server.port()).expect("a connection");
    for sql in SETUP {
        assert_eq!(control.query(sql).expect("an answer").error, None);
    }
    let mut random = Random::new(seed);
    let mut sessions: Vec<(Session, Actor)> = (0..clients)
        .map(|n| (Session::open(server.port()), Actor::new(plan, seed, n)))
        .collect();
    for (session, _) in &mut sessions {
        // So that a circle of waits ends soon; who is its victim does not matter.
        session.send("SET deadlock_timeout = '10ms'");
        assert_eq!(session.answer().error, None);
    }
    let mut sent = 0;
    let start = Instant::now();
    loop {
        settle(server, &mut sessions);
        let free: Vec<usize> = (0..sessions.len())
            .filter(|at| !sessions[*at].0.is_busy())
            .filter(|at| sent < statements || !sessions[*at].1.is_idle())
            .collect();
        if free.is_empty() {
            if sessions.iter().all(|(s, _)| !s.is_busy()) {
                break;
            }
            // All that still have something to do wait for each other, until one
            // of them is told so.
            assert!(start.elapsed() < HANGS, "they wait for ever");
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let (session, actor) = &mut sessions[free[random.below(free.len() as u64) as usize]];
        session.send(&actor.statement());
        sent += 1;
    }
    let mut history: Vec<Txn> = sessions.into_iter().flat_map(|(_, a)| a.done).collect();
    history.push(last_reads(&mut control, plan.keys));
    history
}

/// Until all have answered or wait. Twice without an answer, since an answer may
/// let somebody go on who was seen waiting.
fn settle(server: &dyn Server, sessions: &mut [(Session, Actor)]) {
    let mut quiet = 0;
    while quiet < 2 {
        let mut all = true;
        for (session, actor) in &mut *sessions {
            if !session.is_busy() {
                continue;
            }
            match session.try_answer() {
                Some(answer) => {
                    actor.answered(Some(&answer));
                    all = false;
                }
                None => all &= server.waits(session.pid),
            }
        }
        quiet = if all { quiet + 1 } else { 0 };
        if !all {
            std::thread::yield_now();
        }
    }
}
