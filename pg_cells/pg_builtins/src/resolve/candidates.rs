//! Choosing among functions or operators of one name: steps 4 and 5 of the manual's rules.

use super::coerce;
use super::polymorphic::consistent;
use crate::cast::CastContext;
use alloc::vec::Vec;
use pg_types::oid::{self, Oid};
use pg_types::typeinfo::type_info;

/// A signature to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The function or operator.
    pub oid: Oid,
    /// Its parameter types, as many as there are arguments (variadic ones expanded).
    pub args: Vec<Oid>,
}

/// The outcome of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This one (its place in the list).
    One(usize),
    /// None fits.
    None,
    /// Several fit equally well.
    Ambiguous,
}

fn category(t: Oid) -> u8 {
    type_info(t).map_or(b'U', |i| i.category)
}

fn is_preferred(t: Oid, within: u8) -> bool {
    type_info(t).is_some_and(|i| i.preferred && i.category == within)
}

/// Chooses the candidate for arguments of these types; all candidates have as many parameters.
pub fn choose(candidates: &[Candidate], actual: &[Oid]) -> Choice {
    if let Some(i) = candidates.iter().position(|c| c.args == actual) {
        return Choice::One(i);
    }
    let fits = |c: &Candidate| accepts(c, actual);
    let mut left: Vec<usize> = (0..candidates.len())
        .filter(|i| fits(&candidates[*i]))
        .collect();
    if left.len() <= 1 {
        return left.first().map_or(Choice::None, |i| Choice::One(*i));
    }
    // Most exact matches.
    keep_best(&mut left, |i| {
        matches(&candidates[i], actual, |p, a| p == a)
    });
    // Most exact matches or preferred types where a conversion is needed.
    keep_best(&mut left, |i| {
        matches(&candidates[i], actual, |p, a| {
            p == a || is_preferred(p, category(a))
        })
    });
    if left.len() == 1 {
        return Choice::One(left[0]);
    }
    if !actual.contains(&oid::UNKNOWN) {
        return Choice::Ambiguous;
    }
    by_unknowns(candidates, actual, left)
}

/// Whether implicit casts take all arguments to the parameters.
fn accepts(c: &Candidate, actual: &[Oid]) -> bool {
    c.args
        .iter()
        .zip(actual)
        .all(|(p, a)| coerce(*a, *p, CastContext::Implicit).is_some())
        && consistent(&c.args, actual)
}

/// Counts arguments that are not unknown and satisfy `good`.
fn matches(c: &Candidate, actual: &[Oid], good: impl Fn(Oid, Oid) -> bool) -> usize {
    c.args
        .iter()
        .zip(actual)
        .filter(|(p, a)| **a != oid::UNKNOWN && good(**p, **a))
        .count()
}

fn keep_best(left: &mut Vec<usize>, score: impl Fn(usize) -> usize) {
    let best = left.iter().map(|i| score(*i)).max().unwrap_or(0);
    left.retain(|i| score(*i) == best);
}

/// Guesses the category of unknown arguments from the remaining candidates.
fn by_unknowns(candidates: &[Candidate], actual: &[Oid], mut left: Vec<usize>) -> Choice {
    let mut wanted: Vec<Option<(u8, bool)>> = alloc::vec![None; actual.len()];
    let mut resolved = true;
    for (at, _) in actual
        .iter()
        .enumerate()
        .filter(|(_, a)| **a == oid::UNKNOWN)
    {
        let mut cat: Option<u8> = None;
        let mut has_preferred = false;
        let mut conflict = false;
        for i in &left {
            let p = candidates[*i].args[at];
            let c = category(p);
            match cat {
                None => {
                    cat = Some(c);
                    has_preferred = is_preferred(p, c);
                }
                Some(seen) if seen == c => has_preferred |= is_preferred(p, c),
                // A literal looks like a string first of all.
                Some(_) if c == b'S' => {
                    cat = Some(c);
                    has_preferred = is_preferred(p, c);
                }
                Some(b'S') => {}
                Some(_) => conflict = true,
            }
        }
        if conflict && cat != Some(b'S') {
            resolved = false;
            break;
        }
        wanted[at] = cat.map(|c| (c, has_preferred));
    }
    if resolved {
        let before = left.clone();
        left.retain(|i| {
            wanted.iter().enumerate().all(|(at, w)| match w {
                None => true,
                Some((c, pref)) => {
                    let p = candidates[*i].args[at];
                    category(p) == *c && (!pref || is_preferred(p, *c))
                }
            })
        });
        if left.is_empty() {
            left = before;
        }
        if left.len() == 1 {
            return Choice::One(left[0]);
        }
    }
    // Last: unknowns are taken to be of the one type that the known arguments share.
    let mut known = actual.iter().filter(|a| **a != oid::UNKNOWN);
    let Some(first) = known.next() else {
        return Choice::Ambiguous;
    };
    if known.any(|a| a != first) {
        return Choice::Ambiguous;
    }
    let alike = alloc::vec![*first; actual.len()];
    let same = |i: &usize| accepts(&candidates[*i], &alike);
    let fitting: Vec<usize> = left.iter().copied().filter(same).collect();
    match fitting.as_slice() {
        [one] => Choice::One(*one),
        _ => Choice::Ambiguous,
    }
}
