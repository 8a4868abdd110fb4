//! Scripts of sessions.
//!
//! ```text
//! # A remark.
//! levels: read committed, serializable      (what {level} stands for, in turn)
//! setup:
//!   CREATE TABLE t (id int)                 (a statement a line)
//! session one:
//!   b1: BEGIN ISOLATION LEVEL {level}       (a step a line; names are unique)
//!   c1: COMMIT
//! session two:
//!   x: SELECT * FROM t
//! order: b1 x c1                            (any number of them)
//! order: all                                (every interleaving)
//! brief:                                    (a line an order: what went wrong)
//! end:
//!   DROP TABLE t
//! ```
//! A step named `x~` is in the orders as `x`: its answer is awaited, and whether it
//! had to wait for it is not told (timeouts).
//!
//! A line that begins deeper than its first one goes on where that ended.

use std::collections::BTreeMap;

/// A step: a session's statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Whose.
    pub session: usize,
    /// Its answer is awaited: it comes by itself.
    pub patient: bool,
    /// The statement.
    pub sql: String,
}

/// A script.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spec {
    /// Isolation levels; one empty one when the script does not ask for any.
    pub levels: Vec<String>,
    /// Statements before every order.
    pub setup: Vec<String>,
    /// Statements after every order.
    pub end: Vec<String>,
    /// Names of the sessions.
    pub sessions: Vec<String>,
    /// All steps, session by session.
    pub steps: Vec<Step>,
    /// Print a line an order alone.
    pub brief: bool,
    /// Orders: indexes of steps.
    pub orders: Vec<Vec<usize>>,
}

enum Part {
    None,
    Setup,
    Session,
    End,
}

/// Reads a script.
///
/// # Errors
/// What is wrong, and where.
pub fn parse(text: &str) -> Result<Spec, String> {
    let mut spec = Spec::default();
    let mut part = Part::None;
    let mut orders = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: &str| format!("line {}: {what}: {line}", number + 1);
        let words = line.trim();
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            let (head, rest) = words.split_once(':').ok_or_else(|| wrong("no colon"))?;
            match head.split_once(' ').unwrap_or((head, "")) {
                ("levels", "") => {
                    spec.levels = rest.split(',').map(|l| l.trim().to_string()).collect();
                }
                ("brief", "") => spec.brief = true,
                ("setup", "") => part = Part::Setup,
                ("end", "") => part = Part::End,
                ("session", name) => {
                    spec.sessions.push(name.to_string());
                    part = Part::Session;
                }
                ("order", "") => orders.push((number, rest.trim().to_string())),
                _ => return Err(wrong("an unknown part")),
            }
            continue;
        }
        let deeper = line.starts_with("    ");
        let list = match part {
            Part::Setup => &mut spec.setup,
            Part::End => &mut spec.end,
            Part::Session if deeper => match spec.steps.last_mut() {
                Some(step) => {
                    step.sql = format!("{} {words}", step.sql);
                    continue;
                }
                None => return Err(wrong("goes on from nothing")),
            },
            Part::Session => {
                let (name, sql) = words.split_once(':').ok_or_else(|| wrong("no colon"))?;
                spec.steps.push(Step {
                    name: name.trim_end_matches('~').to_string(),
                    patient: name.ends_with('~'),
                    session: spec.sessions.len() - 1,
                    sql: sql.trim().to_string(),
                });
                continue;
            }
            Part::None => return Err(wrong("belongs to no part")),
        };
        match list.last_mut().filter(|_| deeper) {
            Some(last) => *last = format!("{last} {words}"),
            None => list.push(words.to_string()),
        }
    }
    if spec.levels.is_empty() {
        spec.levels.push(String::new());
    }
    for (number, order) in orders {
        let found = read_order(&spec, &order).map_err(|e| format!("line {}: {e}", number + 1))?;
        spec.orders.extend(found);
    }
    Ok(spec)
}

fn read_order(spec: &Spec, order: &str) -> Result<Vec<Vec<usize>>, String> {
    if order == "all" {
        return Ok(interleavings(spec));
    }
    let places = spec.steps.iter().enumerate();
    let places: BTreeMap<_, _> = places.map(|(at, s)| (s.name.as_str(), at)).collect();
    let step = |name: &str| match places.get(name) {
        Some(at) => Ok(*at),
        None => Err(format!("no step {name}")),
    };
    Ok(vec![
        order
            .split_whitespace()
            .map(step)
            .collect::<Result<_, _>>()?,
    ])
}

/// All orders in which every session takes its steps in turn.
fn interleavings(spec: &Spec) -> Vec<Vec<usize>> {
    let mut queues: Vec<Vec<usize>> = vec![Vec::new(); spec.sessions.len()];
    for (at, step) in spec.steps.iter().enumerate() {
        queues[step.session].push(at);
    }
    let mut all = Vec::new();
    let mut taken = vec![0; queues.len()];
    extend(&queues, &mut taken, &mut Vec::new(), &mut all);
    all
}

fn extend(
    queues: &[Vec<usize>],
    taken: &mut [usize],
    order: &mut Vec<usize>,
    all: &mut Vec<Vec<usize>>,
) {
    if order.len() == queues.iter().map(Vec::len).sum::<usize>() {
        all.push(order.clone());
        return;
    }
    for (session, queue) in queues.iter().enumerate() {
        if let Some(step) = queue.get(taken[session]) {
            taken[session] += 1;
            order.push(*step);
            extend(queues, taken, order, all);
            order.pop();
            taken[session] -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "
levels: read committed, serializable
setup:
  CREATE TABLE t (a int,
      b int)
session one:
  a1: BEGIN
  a2: COMMIT
session two:
  b1: SELECT 1
    FROM t
order: a1 b1 a2
order: all
end:
  DROP TABLE t
";

    #[test]
    fn a_script_is_read() {
        let spec = parse(SCRIPT).unwrap();
        assert_eq!(spec.levels, ["read committed", "serializable"]);
        assert_eq!(spec.setup, ["CREATE TABLE t (a int, b int)"]);
        assert_eq!(spec.steps[2].sql, "SELECT 1 FROM t");
        assert_eq!(spec.orders[0], [0, 2, 1]);
        assert_eq!(spec.orders[1..], [[0, 1, 2], [0, 2, 1], [2, 0, 1]]);
    }

    #[test]
    fn mistakes_are_named() {
        for bad in [
            "order: x",
            "  loose: x",
            "session a:\n  no colon",
            "what: x",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
