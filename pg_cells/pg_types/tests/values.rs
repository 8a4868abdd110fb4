//! Numerics against known answers and laws; the wire and text forms read back.

mod common;

use common::{Rng, TYPES};
use pg_types::compare::equal;
use pg_types::{Datum, FormatSettings, Numeric, input, oid, to_text, wire};
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

fn n(text: &str) -> Numeric {
    Numeric::parse(text).expect("a number")
}

fn finite(rng: &mut Rng) -> Numeric {
    loop {
        let v = rng.numeric();
        if v.is_finite() {
            return v;
        }
    }
}

#[test]
fn sums_and_products_obey_their_laws() {
    let mut rng = Rng::new(3);
    for _ in 0..5_000 {
        let (a, b, c) = (finite(&mut rng), finite(&mut rng), finite(&mut rng));
        let sum = a.add(&b).expect("a sum");
        assert_eq!(sum, b.add(&a).expect("a sum"));
        assert_eq!(sum.sub(&b).expect("a difference"), a);
        let left = a.mul(&b.add(&c).expect("a sum")).expect("a product");
        let right = a
            .mul(&b)
            .expect("a product")
            .add(&a.mul(&c).expect("a product"))
            .expect("a sum");
        assert_eq!(left, right, "{a} * ({b} + {c})");
        if !b.is_zero() {
            let whole = a.div_trunc(&b).expect("a quotient");
            let rest = a.rem(&b).expect("a remainder");
            assert_eq!(
                whole.mul(&b).expect("a product").add(&rest).expect("a sum"),
                a,
                "{a} by {b}"
            );
        }
    }
}

#[test]
fn forms_of_numerics_read_back() {
    let mut rng = Rng::new(4);
    for _ in 0..5_000 {
        let v = rng.numeric();
        let back = n(&v.to_string());
        assert_eq!(back, v);
        assert_eq!(back.scale(), v.scale());
        let mut stored = Vec::new();
        v.to_storage(&mut stored);
        let back = Numeric::from_storage(&stored).expect("a stored numeric");
        assert_eq!((back.to_string(), back.scale()), (v.to_string(), v.scale()));
    }
}

#[test]
fn floats_convert_as_their_text_says() {
    for text in [
        "0.1",
        "123456.789",
        "-7",
        "1e22",
        "9007199254740993",
        "0.30000000000000004",
    ] {
        assert_eq!(n(text).to_f64(), text.parse::<f64>().expect("a float"));
    }
    assert_eq!(Numeric::from_f64(0.1).to_string(), "0.1");
    assert_eq!(Numeric::from_f64(1e20).to_string(), "100000000000000000000");
    assert_eq!(Numeric::from_f32(0.1).to_string(), "0.1");
}

#[test]
fn equal_values_hash_alike() {
    let hash = |d: &Datum| {
        let mut h = DefaultHasher::new();
        pg_types::hash(d, &mut h);
        h.finish()
    };
    let mut rng = Rng::new(6);
    for _ in 0..5_000 {
        let v = finite(&mut rng);
        let wider = v.add(&n("0.00000")).expect("a sum");
        assert_eq!(
            hash(&Datum::Numeric(v.clone())),
            hash(&Datum::Numeric(wider))
        );
    }
    assert_eq!(hash(&Datum::Float8(0.0)), hash(&Datum::Float8(-0.0)));
    assert_eq!(
        hash(&Datum::Float8(f64::NAN)),
        hash(&Datum::Float8(-f64::NAN))
    );
    assert_eq!(hash(&Datum::Int4(5)), hash(&Datum::Int8(5)));
}

#[test]
fn wire_and_text_forms_read_back() {
    let settings = FormatSettings::default();
    for ty in TYPES {
        let mut rng = Rng::new(u64::from(*ty) + 17);
        for _ in 0..2_000 {
            let d = rng.datum(*ty);
            // Timestamps and dates beyond the type's range have no text.
            let extreme = match &d {
                Datum::Timestamp(t) | Datum::TimestampTz(t) => !(pg_types::datetime::MIN_TIMESTAMP
                    ..pg_types::datetime::MAX_TIMESTAMP)
                    .contains(t),
                Datum::Date(v) => !(-2_451_545..=2_145_031_948).contains(v),
                Datum::Char(c) => *c >= 0x80,
                _ => false,
            };
            if d.is_null() || extreme {
                continue;
            }
            let mut bytes = Vec::new();
            wire::send(&mut bytes, &d, *ty).expect("a wire form");
            let back = wire::receive(*ty, -1, &bytes).expect("a value");
            assert!(
                equal(&d, &back),
                "{d:?} came back from the wire as {back:?}"
            );
            let text = to_text(&d, *ty, &settings).expect("a text");
            if *ty != oid::TID {
                let back =
                    input(*ty, -1, &text, &settings).unwrap_or_else(|e| panic!("{text}: {e}"));
                assert!(
                    equal(&d, &back),
                    "{d:?} came back from {text:?} as {back:?}"
                );
            }
        }
    }
}
