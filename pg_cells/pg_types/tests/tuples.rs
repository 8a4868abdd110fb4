//! Rows read back as they were written, whole or in part, and damage is refused.

mod common;

use common::{Rng, TYPES};
use pg_types::tuple::{Tuple, TupleError, encode};
use pg_types::{Attr, Datum, TupleDesc, oid};

fn descriptor(rng: &mut Rng) -> TupleDesc {
    let count = 1 + rng.below(20) as usize;
    let attrs = (0..count).map(|i| {
        let ty = TYPES[rng.below(TYPES.len() as u64) as usize];
        Attr::new(format!("c{i}"), ty, -1)
    });
    TupleDesc::new(attrs.collect())
}

fn row(rng: &mut Rng, desc: &TupleDesc) -> Vec<Datum> {
    let row = desc.attrs().iter().map(|a| rng.datum(a.type_oid));
    // NaN is not equal to itself in the structural comparison used here.
    row.map(|d| match d {
        Datum::Float8(v) if v.is_nan() => Datum::Null,
        Datum::Float4(v) if v.is_nan() => Datum::Null,
        d => d,
    })
    .collect()
}

#[test]
fn rows_read_back() {
    let mut rng = Rng::new(1);
    for _ in 0..5_000 {
        let desc = descriptor(&mut rng);
        let values = row(&mut rng, &desc);
        let mut bytes = Vec::new();
        encode(&mut bytes, &desc, &values);
        let tuple = Tuple::new(&desc, &bytes).expect("a row");
        assert_eq!(tuple.decode().expect("a row"), values);
        for (i, value) in values.iter().enumerate() {
            assert_eq!(tuple.get(i).expect("a value"), *value);
        }
        let needed: Vec<bool> = values.iter().map(|_| rng.below(2) == 0).collect();
        let mut out = vec![Datum::Bool(true)];
        tuple.decode_into(&mut out, &needed).expect("a row");
        let want: Vec<Datum> = values
            .iter()
            .zip(&needed)
            .map(|(v, n)| if *n { v.clone() } else { Datum::Null })
            .collect();
        assert_eq!(out, want);
    }
}

#[test]
fn older_rows_have_what_was_missing() {
    let old = TupleDesc::new(vec![Attr::new("a", oid::INT4, -1)]);
    let mut bytes = Vec::new();
    encode(&mut bytes, &old, &[Datum::Int4(1)]);
    let mut with_default = Attr::new("b", oid::TEXT, -1);
    with_default.missing = Some(Datum::text("new"));
    let desc = TupleDesc::new(vec![
        Attr::new("a", oid::INT4, -1),
        with_default,
        Attr::new("c", oid::INT8, -1),
    ]);
    let tuple = Tuple::new(&desc, &bytes).expect("a row");
    assert_eq!(tuple.stored(), 1);
    assert_eq!(
        tuple.decode(),
        Ok(vec![Datum::Int4(1), Datum::text("new"), Datum::Null])
    );
    assert_eq!(tuple.get(1), Ok(Datum::text("new")));
    assert_eq!(tuple.get(9), Ok(Datum::Null));
}

#[test]
fn dropped_columns_keep_their_place_in_old_rows() {
    let before = TupleDesc::new(vec![
        Attr::new("a", oid::INT4, -1),
        Attr::new("b", oid::INT4, -1),
    ]);
    let mut old = Vec::new();
    encode(&mut old, &before, &[Datum::Int4(1), Datum::Int4(2)]);
    let mut gone = Attr::new("a", oid::INT4, -1);
    gone.dropped = true;
    let after = TupleDesc::new(vec![gone, Attr::new("b", oid::INT4, -1)]);
    assert_eq!(
        Tuple::new(&after, &old).and_then(|t| t.get(1)),
        Ok(Datum::Int4(2))
    );
    let mut new = Vec::new();
    encode(&mut new, &after, &[Datum::Int4(1), Datum::Int4(2)]);
    assert_eq!(
        Tuple::new(&after, &new).and_then(|t| t.decode()),
        Ok(vec![Datum::Null, Datum::Int4(2)])
    );
}

#[test]
fn an_integer_row_has_no_overhead_but_its_head() {
    let desc = TupleDesc::new(vec![
        Attr::new("a", oid::INT4, -1),
        Attr::new("b", oid::INT8, -1),
    ]);
    let mut bytes = Vec::new();
    encode(&mut bytes, &desc, &[Datum::Int4(1), Datum::Int8(2)]);
    assert_eq!(bytes, [2, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn damaged_rows_are_refused() {
    let mut rng = Rng::new(2);
    let mut refused = 0;
    for _ in 0..20_000 {
        let desc = descriptor(&mut rng);
        let mut bytes = Vec::new();
        encode(&mut bytes, &desc, &row(&mut rng, &desc));
        bytes.truncate(rng.below(bytes.len() as u64) as usize);
        if !bytes.is_empty() {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] ^= rng.next() as u8;
        }
        // Any answer will do but a panic; short rows must mostly be noticed.
        refused +=
            usize::from(Tuple::new(&desc, &bytes).and_then(|t| t.decode()) == Err(TupleError));
    }
    assert!(refused > 10_000, "only {refused} of 20000 noticed");
}
