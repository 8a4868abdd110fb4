//! Which cells of another build replace what runs, and in which sets.
//!
//! Every cell that differs from what runs, or was compiled against something that
//! does, is taken with all that must come with it. Sets that share a crate become
//! one; sets go in the order of the image, so that what others call comes first. A
//! set that a running system cannot take is not tried; the others are independent of
//! it.
//!
//! A crate with statics whose code alone has changed is sent if it says how they
//! move; else it runs on as it was loaded.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::client::{self, ClientError};
use crate::instance::Instance;
use crate::pipeline::Parts;
use crate::push::{self, Needs};
use crate::running::{Moving, Running, says_how_it_moves};

/// What the system says when tasks have not left in time.
const BUSY: &str = "cannot move now";

/// What an upgrade will do.
#[derive(Debug, Default)]
pub struct Plan {
    /// The sets to push, one after the other; names in the order of the image.
    pub sets: Vec<Vec<String>>,
    /// Ports among them that are replaced, with their statics and tasks.
    pub ports: Vec<String>,
    /// Cells that differ and cannot be replaced, and why.
    pub refused: Vec<(String, String)>,
    /// Crates that differ and run on as they are, and why.
    pub left: Vec<(String, &'static str)>,
}

/// Plans the way from what runs to a build.
#[must_use]
pub fn plan(parts: &Parts, running: &Running) -> Plan {
    let needs = Needs::new(parts, running);
    let mut sets: Vec<BTreeSet<&str>> = Vec::new();
    let mut refused = Vec::new();
    for cell in &parts.cells {
        let other = |used: &cell_archive::write::NewUse| {
            let used = parts.cells.iter().find(|cell| cell.name == used.name);
            used.is_some_and(|used| running.differs(used))
        };
        let changed = running.differs(cell) || cell.uses.iter().any(other);
        let runs = running.get(&cell.name);
        let moves = running.has_other_code(cell)
            && says_how_it_moves(cell)
            && runs.is_some_and(|runs| runs.moving == Moving::Moves);
        // A library alone replaces nothing: it comes with those that use it.
        if !(moves || changed && has_door(parts, &cell.name)) {
            continue;
        }
        let mut set = match needs.closure(std::iter::once(cell.name.as_str())) {
            Ok(set) => set,
            Err(why) => {
                refused.push((cell.name.clone(), format!("{why:#}")));
                continue;
            }
        };
        sets.retain(|earlier| {
            let apart = earlier.is_disjoint(&set);
            if !apart {
                set.extend(earlier);
            }
            apart
        });
        sets.push(set);
    }
    let place = |name: &str| parts.cells.iter().position(|cell| cell.name == name);
    sets.sort_by_key(|set| set.iter().filter_map(|name| place(name)).max());
    let sets: Vec<Vec<String>> = sets.iter().map(|set| in_order(parts, set)).collect();
    let ports = sets.iter().flatten();
    let ports = ports.filter(|name| name.ends_with("_port")).cloned();
    Plan {
        ports: ports.collect(),
        left: left(parts, running, &sets, &refused),
        sets,
        refused,
    }
}

fn in_order(parts: &Parts, set: &BTreeSet<&str>) -> Vec<String> {
    let names = parts.cells.iter().map(|cell| cell.name.as_str());
    let names = names.filter(|name| set.contains(name));
    names.map(str::to_string).collect()
}

/// The crates whose code differs and that run on as they are.
fn left(
    parts: &Parts,
    running: &Running,
    sets: &[Vec<String>],
    refused: &[(String, String)],
) -> Vec<(String, &'static str)> {
    let mut left = Vec::new();
    let sent = |name: &str| sets.iter().flatten().any(|sent| sent == name);
    for cell in &parts.base_crates {
        let other = |runs: crate::running::Crate| runs.fingerprint != cell.fingerprint;
        if running.get(&cell.name).is_some_and(other) {
            left.push((cell.name.clone(), "part of the boot image"));
        }
    }
    for cell in parts.cells.iter().filter(|cell| !sent(&cell.name)) {
        let why = match running.get(&cell.name) {
            _ if refused.iter().any(|(name, _)| *name == cell.name) => continue,
            _ if !running.has_other_code(cell) => continue,
            None => "new, and no cell that runs needs it",
            Some(runs) if runs.moving == Moving::Fixed => {
                "has statics or tasks and does not say how they move"
            }
            Some(_) => "no cell that is replaced needs it",
        };
        left.push((cell.name.clone(), why));
    }
    for (name, _) in running.crates() {
        let crates = parts.cells.iter().chain(&parts.base_crates);
        if !crates.map(|cell| cell.name.as_str()).any(|n| n == name) {
            left.push((name.to_string(), "not part of that revision"));
        }
    }
    left
}

/// Whether a crate is a cell behind a port: the port lies beside it.
fn has_door(parts: &Parts, name: &str) -> bool {
    let port = format!("{name}_port");
    parts.cells.iter().any(|cell| cell.name == port)
}

impl Plan {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = match self.sets.len() {
            0 => String::from("nothing to replace\n"),
            1 => String::from("1 set\n"),
            count => format!("{count} sets, one after the other\n"),
        };
        for (number, set) in self.sets.iter().enumerate() {
            text += &format!("{:>4}  {}\n", number + 1, set.join(" "));
        }
        if !self.ports.is_empty() {
            text += &format!("ports that change: {}\n", self.ports.join(" "));
        }
        for (name, why) in &self.refused {
            text += &format!("cannot be replaced: {name}: {why}\n");
        }
        for (name, why) in &self.left {
            text += &format!("runs on as it is: {name}: {why}\n");
        }
        text
    }

    /// Whether what runs afterwards behaves as the build does: nothing is refused.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.refused.is_empty()
    }
}

/// A set that was taken.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Taken {
    /// Its cells.
    pub cells: Vec<String>,
    /// How long callers waited, in the system's clock.
    pub pause_us: Option<f64>,
    /// From sending to the answer, on the host.
    pub seconds: f64,
}

/// Pushes the sets of a plan one after the other and tells of each.
///
/// # Errors
/// The first set that is not taken; those before it are in place.
pub fn carry_out(
    plan: &Plan,
    parts: &Parts,
    instance: &Instance,
    limit: Duration,
    mut tell: impl FnMut(usize, &Taken),
) -> Result<Vec<Taken>> {
    let mut done = Vec::new();
    for (number, set) in plan.sets.iter().enumerate() {
        let started = std::time::Instant::now();
        let names = set.iter().map(String::as_str).collect();
        let push = push::pack(parts, &names);
        let answer = push_patiently(instance, &push.archive, limit).with_context(|| {
            format!(
                "set {} was not taken; {number} of {} are in place, and `upgrade` with the former revision takes them back",
                number + 1,
                plan.sets.len()
            )
        })?;
        let taken = Taken {
            cells: set.clone(),
            pause_us: pause(&answer),
            seconds: started.elapsed().as_secs_f64(),
        };
        tell(number, &taken);
        done.push(taken);
    }
    Ok(done)
}

/// Pushes, again while tasks that would have to leave are busy: until `limit` is over.
///
/// # Errors
/// As [`client::push`].
pub fn push_patiently(
    instance: &Instance,
    archive: &[u8],
    limit: Duration,
) -> Result<String, ClientError> {
    let started = std::time::Instant::now();
    loop {
        match client::push(instance, archive, limit) {
            Err(ClientError::Refused(why)) if why.contains(BUSY) && started.elapsed() < limit => {}
            answer => return answer,
        }
    }
}

/// The pause that the system's answer names (µs).
#[must_use]
pub fn pause(answer: &str) -> Option<f64> {
    let rest = answer.split_once("pause ")?.1;
    rest.split_whitespace().next()?.parse().ok()
}
