//! Histories of transactions that read lists and append to them, and the search
//! for what no serial order explains, after Elle (K. Kingsbury and P. Alvaro,
//! "Elle: Inferring Isolation Anomalies from Experimental Observations", 2020).
//!
//! Every appended value is unique, so a list that was read tells who wrote each
//! version of it, and in which order. From that follow the dependencies:
//! *ww* (appended next), *wr* (read what the other appended), *rw* (read the
//! version before the other's). A cycle of ww alone is G0, of ww and wr G1c, with
//! one rw G-single, with more G2-item (Adya, "Weak Consistency", 1999).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a transaction did to a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Appended a value.
    Append(u32, u64),
    /// Read all of it.
    Read(u32, Vec<u64>),
}

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It committed.
    Committed,
    /// It was rolled back.
    Aborted,
    /// Nobody knows: the connection broke at its commit.
    Unknown,
}

/// A transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Txn {
    /// What it did, in order.
    pub ops: Vec<Op>,
    /// How it ended.
    pub end: End,
}

/// What no serial order explains; the numbers are places in the history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Anomaly {
    /// A value was read that nobody appended, or appended twice.
    Phantom(usize, u64),
    /// A value of a transaction that was rolled back was read (G1a).
    AbortedRead(usize, u64),
    /// Something was read that its writer appended to in the same transaction
    /// (G1b).
    IntermediateRead(usize, u64),
    /// A transaction does not find what it has itself read or appended.
    Inconsistent(usize),
    /// Two reads of a list are not beginnings of one list.
    Incompatible(u32),
    /// A committed append is not in the list that was read last.
    LostAppend(usize, u64),
    /// Writes in a circle.
    G0(Vec<usize>),
    /// Writes and reads in a circle.
    G1c(Vec<usize>),
    /// A circle with one read of a former version: read skew, lost update.
    GSingle(Vec<usize>),
    /// A circle with several: write skew.
    G2(Vec<usize>),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Edge {
    Ww,
    Wr,
    Rw,
}

/// What is wrong with a history. Its last reads of the lists should come after
/// everything else, or appends that nobody read go unnoticed.
#[must_use]
pub fn check(history: &[Txn]) -> Vec<Anomaly> {
    let mut found = BTreeMap::new();
    let writers = writers(history, &mut found);
    let versions = versions(history, &mut found);
    for (at, txn) in history.iter().enumerate() {
        if txn.end != End::Aborted {
            reads(history, at, txn, &writers, &mut found);
        }
    }
    lost(history, &writers, &versions, &mut found);
    let graph = graph(history, &writers, &versions);
    cycles(&graph, &mut found);
    found.into_values().collect()
}

/// Each kind of anomaly once for each first transaction.
type Found = BTreeMap<String, Anomaly>;

fn note(found: &mut Found, key: String, anomaly: Anomaly) {
    found.entry(key).or_insert(anomaly);
}

/// Who appended each value of each list.
fn writers(history: &[Txn], found: &mut Found) -> BTreeMap<(u32, u64), usize> {
    let mut writers = BTreeMap::new();
    for (at, txn) in history.iter().enumerate() {
        for op in &txn.ops {
            if let Op::Append(key, value) = op
                && writers.insert((*key, *value), at).is_some()
            {
                note(
                    found,
                    format!("twice {value}"),
                    Anomaly::Phantom(at, *value),
                );
            }
        }
    }
    writers
}

/// The longest list of each key; all others must be beginnings of it.
fn versions(history: &[Txn], found: &mut Found) -> BTreeMap<u32, Vec<u64>> {
    let mut longest: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    let seen = history.iter().filter(|t| t.end != End::Aborted);
    let reads = seen.flat_map(|t| t.ops.iter().map(move |op| (t, op)));
    let reads: Vec<(u32, Vec<u64>)> = reads
        .filter_map(|(txn, op)| match op {
            Op::Read(key, list) => Some((*key, without_own(txn, *key, list))),
            Op::Append(..) => None,
        })
        .collect();
    for (key, list) in &reads {
        let known = longest.entry(*key).or_default();
        if list.len() > known.len() {
            known.clone_from(list);
        }
    }
    for (key, list) in &reads {
        if !longest[key].starts_with(list) {
            note(found, format!("list {key}"), Anomaly::Incompatible(*key));
        }
    }
    longest
}

/// What a transaction that did not commit for sure appended itself says nothing
/// about others' order; of one that committed it does, so only the end that is
/// its own is cut off.
fn without_own(txn: &Txn, key: u32, list: &[u64]) -> Vec<u64> {
    if txn.end == End::Committed {
        return list.to_vec();
    }
    let own = |value: &u64| txn.ops.contains(&Op::Append(key, *value));
    let end = list.iter().rposition(|v| !own(v)).map_or(0, |at| at + 1);
    list[..end].to_vec()
}

fn reads(
    history: &[Txn],
    at: usize,
    txn: &Txn,
    writers: &BTreeMap<(u32, u64), usize>,
    found: &mut Found,
) {
    let mut known: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    let mut appended: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for op in &txn.ops {
        match op {
            Op::Append(key, value) => {
                appended.entry(*key).or_default().push(*value);
                if let Some(list) = known.get_mut(key) {
                    list.push(*value);
                }
            }
            Op::Read(key, list) => {
                let own = appended.get(key).cloned().unwrap_or_default();
                let as_known = known.get(key).is_none_or(|known| known == list);
                if !as_known || !list.ends_with(&own) {
                    note(found, format!("self {at}"), Anomaly::Inconsistent(at));
                }
                known.insert(*key, list.clone());
                read(history, at, (*key, list), writers, found);
            }
        }
    }
}

fn read(
    history: &[Txn],
    at: usize,
    (key, list): (u32, &[u64]),
    writers: &BTreeMap<(u32, u64), usize>,
    found: &mut Found,
) {
    let unique: BTreeSet<_> = list.iter().collect();
    for (place, value) in list.iter().enumerate() {
        let Some(&writer) = writers.get(&(key, *value)) else {
            note(found, format!("phantom {at}"), Anomaly::Phantom(at, *value));
            continue;
        };
        if history[writer].end == End::Aborted {
            note(found, format!("g1a {at}"), Anomaly::AbortedRead(at, *value));
        }
        let last = history[writer].ops.iter().rev().find_map(|op| match op {
            Op::Append(k, v) if *k == key => Some(*v),
            _ => None,
        });
        if place + 1 == list.len() && writer != at && last != Some(*value) {
            note(
                found,
                format!("g1b {at}"),
                Anomaly::IntermediateRead(at, *value),
            );
        }
    }
    if unique.len() < list.len() {
        note(
            found,
            format!("twice in {at}"),
            Anomaly::Phantom(at, list[0]),
        );
    }
}

fn lost(
    history: &[Txn],
    writers: &BTreeMap<(u32, u64), usize>,
    versions: &BTreeMap<u32, Vec<u64>>,
    found: &mut Found,
) {
    for ((key, value), writer) in writers {
        let there = versions.get(key).is_some_and(|list| list.contains(value));
        if history[*writer].end == End::Committed && !there {
            note(
                found,
                format!("lost {value}"),
                Anomaly::LostAppend(*writer, *value),
            );
        }
    }
}

type Graph = Vec<BTreeMap<usize, Edge>>;

/// The dependencies; between two transactions the strongest alone.
fn graph(
    history: &[Txn],
    writers: &BTreeMap<(u32, u64), usize>,
    versions: &BTreeMap<u32, Vec<u64>>,
) -> Graph {
    let mut graph: Graph = vec![BTreeMap::new(); history.len()];
    let mut add = |from: usize, to: usize, edge: Edge| {
        if from != to {
            let known = graph[from].entry(to).or_insert(edge);
            *known = edge.min(*known);
        }
    };
    let writer = |key: u32, value: Option<&u64>| writers.get(&(key, *value?)).copied();
    for (key, list) in versions {
        for pair in list.windows(2) {
            if let (Some(a), Some(b)) = (writer(*key, pair.first()), writer(*key, pair.last())) {
                add(a, b, Edge::Ww);
            }
        }
    }
    for (at, txn) in history.iter().enumerate() {
        if txn.end == End::Aborted {
            continue;
        }
        for op in &txn.ops {
            let Op::Read(key, list) = op else {
                continue;
            };
            if let Some(from) = writer(*key, list.last()) {
                add(from, at, Edge::Wr);
            }
            let next = versions.get(key).and_then(|all| all.get(list.len()));
            if let Some(to) = writer(*key, next) {
                add(at, to, Edge::Rw);
            }
        }
    }
    graph
}

/// Looks for circles, the gravest kind first: a transaction that is in one is not
/// looked at again.
fn cycles(graph: &Graph, found: &mut Found) {
    let mut done: BTreeSet<usize> = BTreeSet::new();
    for kind in 0..3 {
        let make = [Anomaly::G0, Anomaly::G1c, Anomaly::GSingle][kind];
        for (from, edges) in graph.iter().enumerate() {
            for (to, edge) in edges {
                let fits = match kind {
                    0 => *edge == Edge::Ww,
                    1 => *edge <= Edge::Wr,
                    _ => *edge == Edge::Rw,
                };
                // The way back has no rw in it, and for G0 no wr.
                let allowed = if kind == 0 { Edge::Ww } else { Edge::Wr };
                if fits
                    && !done.contains(&from)
                    && let Some(cycle) = way(graph, *to, from, allowed)
                {
                    done.extend(&cycle);
                    note(found, format!("cycle {from}"), make(cycle));
                }
            }
        }
    }
    for (from, edges) in graph.iter().enumerate() {
        for (to, edge) in edges {
            if *edge == Edge::Rw
                && !done.contains(&from)
                && let Some(cycle) = way(graph, *to, from, Edge::Rw)
            {
                done.extend(&cycle);
                note(found, format!("cycle {from}"), Anomaly::G2(cycle));
            }
        }
    }
}

/// The shortest way from one transaction to another over edges at most as weak as
/// `allowed`.
fn way(graph: &Graph, from: usize, to: usize, allowed: Edge) -> Option<Vec<usize>> {
    let mut came: BTreeMap<usize, usize> = BTreeMap::from([(from, from)]);
    let mut open = VecDeque::from([from]);
    while let Some(at) = open.pop_front() {
        if at == to {
            let mut cycle = vec![at];
            let mut back = at;
            while back != from {
                back = came[&back];
                cycle.push(back);
            }
            cycle.reverse();
            return Some(cycle);
        }
        for (next, edge) in &graph[at] {
            if *edge <= allowed && !came.contains_key(next) {
                came.insert(*next, at);
                open.push_back(*next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn txn(ops: &[Op]) -> Txn {
        Txn {
            ops: ops.to_vec(),
            end: End::Committed,
        }
    }

    fn a(key: u32, value: u64) -> Op {
        Op::Append(key, value)
    }

    fn r(key: u32, list: &[u64]) -> Op {
        Op::Read(key, list.to_vec())
    }

    #[test]
    fn a_serial_history_is_clean() {
        let history = [
            txn(&[r(1, &[]), a(1, 10), r(1, &[10])]),
            txn(&[r(1, &[10]), a(2, 20), a(1, 11)]),
            txn(&[r(2, &[20]), r(1, &[10, 11])]),
        ];
        assert_eq!(check(&history), []);
    }

    #[test]
    fn writes_in_a_circle() {
        let history = [
            txn(&[a(1, 10), a(2, 20)]),
            txn(&[a(1, 11), a(2, 21)]),
            txn(&[r(1, &[10, 11]), r(2, &[21, 20])]),
        ];
        assert_eq!(check(&history), [Anomaly::G0(vec![1, 0])]);
    }

    #[test]
    fn what_was_rolled_back_is_read() {
        let mut gone = txn(&[a(1, 10)]);
        gone.end = End::Aborted;
        let history = [gone, txn(&[r(1, &[10])])];
        assert_eq!(check(&history), [Anomaly::AbortedRead(1, 10)]);
    }

    #[test]
    fn a_transaction_is_read_half_done() {
        let history = [
            txn(&[a(1, 10), a(1, 11)]),
            txn(&[r(1, &[10])]),
            txn(&[r(1, &[10, 11])]),
        ];
        let found = check(&history);
        assert!(
            found.contains(&Anomaly::IntermediateRead(1, 10)),
            "{found:?}"
        );
    }

    #[test]
    fn each_reads_the_other() {
        let history = [txn(&[a(1, 10), r(2, &[20])]), txn(&[a(2, 20), r(1, &[10])])];
        assert_eq!(check(&history), [Anomaly::G1c(vec![1, 0])]);
    }

    #[test]
    fn half_of_a_transaction_is_seen() {
        let history = [
            txn(&[a(1, 10), a(2, 20)]),
            txn(&[r(1, &[10]), r(2, &[])]),
            txn(&[r(1, &[10]), r(2, &[20])]),
        ];
        assert_eq!(check(&history), [Anomaly::GSingle(vec![0, 1])]);
    }

    #[test]
    fn an_update_is_lost() {
        let history = [
            txn(&[r(1, &[]), a(1, 10)]),
            txn(&[r(1, &[]), a(1, 11)]),
            txn(&[r(1, &[10, 11])]),
        ];
        assert_eq!(check(&history), [Anomaly::GSingle(vec![0, 1])]);
    }

    #[test]
    fn each_misses_what_the_other_writes() {
        let history = [
            txn(&[r(1, &[]), r(2, &[]), a(1, 10)]),
            txn(&[r(1, &[]), r(2, &[]), a(2, 20)]),
            txn(&[r(1, &[10]), r(2, &[20])]),
        ];
        assert_eq!(check(&history), [Anomaly::G2(vec![1, 0])]);
    }

    #[test]
    fn the_reader_alone_makes_the_circle() {
        // Fekete, O'Neil, O'Neil 2004: 0 -rw-> 1, 1 -wr-> 2, 2 -rw-> 0.
        let history = [
            txn(&[r(2, &[]), a(1, 10)]),
            txn(&[a(2, 20)]),
            txn(&[r(1, &[]), r(2, &[20])]),
            txn(&[r(1, &[10]), r(2, &[20])]),
        ];
        assert_eq!(check(&history), [Anomaly::G2(vec![1, 2, 0])]);
    }

    #[test]
    fn lists_that_do_not_fit() {
        let writes = txn(&[a(1, 10)]);
        let other = txn(&[a(1, 11)]);
        let fork = [
            writes.clone(),
            other.clone(),
            txn(&[r(1, &[10])]),
            txn(&[r(1, &[11])]),
        ];
        assert!(check(&fork).contains(&Anomaly::Incompatible(1)));
        assert_eq!(check(&[txn(&[r(1, &[9])])]), [Anomaly::Phantom(0, 9)]);
        assert_eq!(
            check(std::slice::from_ref(&writes)),
            [Anomaly::LostAppend(0, 10)]
        );
        let twice = [writes, txn(&[r(1, &[10, 10])])];
        assert!(check(&twice).contains(&Anomaly::Phantom(1, 10)));
    }

    #[test]
    fn a_transaction_forgets_itself() {
        let forgets = [txn(&[a(1, 10), r(1, &[])]), txn(&[r(1, &[10])])];
        assert!(check(&forgets).contains(&Anomaly::Inconsistent(0)));
        let changes = [txn(&[a(1, 10)]), txn(&[r(1, &[]), r(1, &[10])])];
        assert!(check(&changes).contains(&Anomaly::Inconsistent(1)));
    }

    #[test]
    fn a_commit_that_nobody_knows_of_may_have_happened_or_not() {
        let mut unknown = txn(&[a(1, 10)]);
        unknown.end = End::Unknown;
        assert_eq!(check(&[unknown.clone(), txn(&[r(1, &[])])]), []);
        assert_eq!(check(&[unknown, txn(&[r(1, &[10])])]), []);
    }
}
