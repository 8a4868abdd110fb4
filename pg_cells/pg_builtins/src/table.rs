//! The tables as one: every function and operator, found by id or by name.
//!
//! The parts are written by hand in the files under `func`, `operators` and
//! `casts`; they are joined and hashed at compile time, so nothing is built or
//! locked when the cell is loaded.

use crate::func;
use crate::function::Function;
use crate::operator::Operator;
use crate::operators::TABLES as OP_TABLES;
use pg_types::Oid;

const PARTS: &[&[Function]] = func::TABLES;
const COUNT: usize = count(PARTS);
static FUNCTIONS: [Function; COUNT] = join(PARTS);

const OP_PARTS: &[&[Operator]] = OP_TABLES;
const OP_COUNT: usize = count_ops(OP_PARTS);
static OPERATORS: [Operator; OP_COUNT] = join_ops(OP_PARTS);

const fn count(parts: &[&[Function]]) -> usize {
    let (mut n, mut i) = (0, 0);
    while i < parts.len() {
        n += parts[i].len();
        i += 1;
    }
    n
}

const fn count_ops(parts: &[&[Operator]]) -> usize {
    let (mut n, mut i) = (0, 0);
    while i < parts.len() {
        n += parts[i].len();
        i += 1;
    }
    n
}

const fn join(parts: &[&[Function]]) -> [Function; COUNT] {
    let mut all = [parts[0][0]; COUNT];
    let (mut i, mut n) = (0, 0);
    while i < parts.len() {
        let mut j = 0;
        while j < parts[i].len() {
            all[n] = parts[i][j];
            n += 1;
            j += 1;
        }
        i += 1;
    }
    all
}

const fn join_ops(parts: &[&[Operator]]) -> [Operator; OP_COUNT] {
    let mut all = [parts[0][0]; OP_COUNT];
    let (mut i, mut n) = (0, 0);
    while i < parts.len() {
        let mut j = 0;
        while j < parts[i].len() {
            all[n] = parts[i][j];
            n += 1;
            j += 1;
        }
        i += 1;
    }
    all
}

/// A chained hash over places in a table: `heads[hash]` is the first place plus one,
/// `next[place]` the one after it.
struct Index<const BUCKETS: usize, const N: usize> {
    heads: [u16; BUCKETS],
    next: [u16; N],
}

const fn hash_name(name: &str) -> u32 {
    // FNV-1a.
    let bytes = name.as_bytes();
    let mut h = 0x811c_9dc5u32;
    let mut i = 0;
    while i < bytes.len() {
        h = (h ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    h
}

const fn hash_oid(oid: Oid) -> u32 {
    oid.wrapping_mul(0x9e37_79b1) >> 16
}

impl<const BUCKETS: usize, const N: usize> Index<BUCKETS, N> {
    const fn add(mut self, hash: u32, place: usize) -> Self {
        let bucket = hash as usize % BUCKETS;
        self.next[place] = self.heads[bucket];
        self.heads[bucket] = place as u16 + 1;
        self
    }

    const fn empty() -> Self {
        Index {
            heads: [0; BUCKETS],
            next: [0; N],
        }
    }

    fn chain(&'static self, hash: u32) -> impl Iterator<Item = usize> {
        let mut at = self.heads[hash as usize % BUCKETS];
        core::iter::from_fn(move || {
            let place = usize::from(at).checked_sub(1)?;
            at = self.next[place];
            Some(place)
        })
    }
}

// Places are put in from the last, so that chains run in table order.
static BY_NAME: Index<2048, COUNT> = {
    let all = join(PARTS);
    let mut index = Index::empty();
    let mut i = COUNT;
    while i > 0 {
        i -= 1;
        index = index.add(hash_name(all[i].name), i);
    }
    index
};

static BY_OID: Index<2048, COUNT> = {
    let all = join(PARTS);
    let mut index = Index::empty();
    let mut i = COUNT;
    while i > 0 {
        i -= 1;
        index = index.add(hash_oid(all[i].oid), i);
    }
    index
};

static OPS_BY_NAME: Index<256, OP_COUNT> = {
    let all = join_ops(OP_PARTS);
    let mut index = Index::empty();
    let mut i = OP_COUNT;
    while i > 0 {
        i -= 1;
        index = index.add(hash_name(all[i].name), i);
    }
    index
};

/// All functions, aggregates and window functions.
pub fn functions() -> &'static [Function] {
    &FUNCTIONS
}

/// All operators.
pub fn operators() -> &'static [Operator] {
    &OPERATORS
}

/// Functions of this name, in table order.
pub fn functions_named(name: &str) -> impl Iterator<Item = &'static Function> {
    BY_NAME
        .chain(hash_name(name))
        .map(|i| &FUNCTIONS[i])
        .filter(move |f| f.name == name)
}

/// The function with this id.
pub fn function_by_oid(oid: Oid) -> Option<&'static Function> {
    BY_OID
        .chain(hash_oid(oid))
        .map(|i| &FUNCTIONS[i])
        .find(|f| f.oid == oid)
}

/// Operators of this symbol, in table order.
pub fn operators_named(name: &str) -> impl Iterator<Item = &'static Operator> {
    OPS_BY_NAME
        .chain(hash_name(name))
        .map(|i| &OPERATORS[i])
        .filter(move |o| o.name == name)
}

/// The operator with this id.
pub fn operator_by_oid(oid: Oid) -> Option<&'static Operator> {
    OPERATORS.iter().find(|o| o.oid == oid)
}

/// The operator of exactly these operand types (0 on the left for prefix operators).
pub fn operator_exact(name: &str, left: Oid, right: Oid) -> Option<&'static Operator> {
    operators_named(name).find(|o| o.left == left && o.right == right)
}
