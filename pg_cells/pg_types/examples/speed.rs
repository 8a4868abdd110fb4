//! Times the paths that every row takes: decode, compare, key, arithmetic.
//!
//! `cargo run --release -p pg_types --example speed`

use pg_types::keycode::{KeyOrder, encode};
use pg_types::tuple::{self, Tuple};
use pg_types::{Attr, Datum, Numeric, TupleDesc, compare, oid};
use std::hint::black_box;
use std::time::Instant;

fn time(name: &str, rounds: u32, mut work: impl FnMut()) {
    work();
    let start = Instant::now();
    for _ in 0..rounds {
        work();
    }
    println!(
        "{name}: {:.1} ns",
        start.elapsed().as_nanos() as f64 / f64::from(rounds)
    );
}

fn main() {
    let rounds = 2_000_000;
    let ints = TupleDesc::new(
        (0..4)
            .map(|i| Attr::new(format!("c{i}"), oid::INT4, -1))
            .collect(),
    );
    let mut row = Vec::new();
    tuple::encode(
        &mut row,
        &ints,
        &[
            Datum::Int4(1),
            Datum::Int4(2),
            Datum::Int4(3),
            Datum::Int4(4),
        ],
    );
    let mut out = Vec::new();
    time("decode 4 integers", rounds, || {
        let t = Tuple::new(&ints, black_box(&row)).expect("a row");
        t.decode_into(&mut out, &[]).expect("a row");
        black_box(&out);
    });
    time("get the 4th integer", rounds, || {
        let t = Tuple::new(&ints, black_box(&row)).expect("a row");
        black_box(t.get(3).expect("a value"));
    });
    let mixed = TupleDesc::new(vec![
        Attr::new("id", oid::INT4, -1),
        Attr::new("balance", oid::NUMERIC, -1),
        Attr::new("filler", oid::TEXT, -1),
    ]);
    let values = [
        Datum::Int4(7),
        Datum::Numeric(Numeric::from_i128(12345, 2)),
        Datum::text("a short text"),
    ];
    let mut row = Vec::new();
    tuple::encode(&mut row, &mixed, &values);
    time("decode integer, numeric, short text", rounds, || {
        let t = Tuple::new(&mixed, black_box(&row)).expect("a row");
        t.decode_into(&mut out, &[]).expect("a row");
        black_box(&out);
    });
    let mut bytes = Vec::new();
    time("encode them", rounds, || {
        bytes.clear();
        tuple::encode(&mut bytes, &mixed, black_box(&values));
        black_box(&bytes);
    });
    time("key of an integer", rounds, || {
        bytes.clear();
        encode(&mut bytes, black_box(&values[0]), oid::INT4, KeyOrder::ASC);
        black_box(&bytes);
    });
    time("key of a numeric", rounds, || {
        bytes.clear();
        encode(
            &mut bytes,
            black_box(&values[1]),
            oid::NUMERIC,
            KeyOrder::ASC,
        );
        black_box(&bytes);
    });
    texts_and_numerics(rounds, &values[2]);
}

fn texts_and_numerics(rounds: u32, text: &Datum) {
    time("compare two texts", rounds, || {
        black_box(compare(black_box(text), black_box(text)));
    });
    let (a, b) = (Numeric::from_i128(12345, 2), Numeric::from_i128(6789, 3));
    time("numeric + numeric", rounds, || {
        black_box(black_box(&a).add(black_box(&b)).expect("a sum"));
    });
    time("numeric / numeric", rounds, || {
        black_box(black_box(&a).div(black_box(&b)).expect("a quotient"));
    });
}
