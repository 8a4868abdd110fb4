//! Keys sort as values do, can be concatenated, and read back.

mod common;

use common::{Rng, TYPES};
use pg_types::compare::{compare, compare_bpchar};
use pg_types::keycode::{KeyOrder, decode, encode, encode_all, is_exact};
use pg_types::{Datum, Oid, oid};
use std::cmp::Ordering;

const ORDERS: [KeyOrder; 4] = [
    KeyOrder {
        desc: false,
        nulls_first: false,
    },
    KeyOrder {
        desc: false,
        nulls_first: true,
    },
    KeyOrder {
        desc: true,
        nulls_first: false,
    },
    KeyOrder {
        desc: true,
        nulls_first: true,
    },
];

fn key(d: &Datum, ty: Oid, order: KeyOrder) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out, d, ty, order);
    out
}

/// The order that an index of this kind promises.
fn expected(a: &Datum, b: &Datum, order: KeyOrder) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if order.nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) => expected(b, a, order).reverse(),
        _ => {
            let plain = match (a, b) {
                (Datum::Text(x), Datum::Text(y)) if x.ends_with(' ') || y.ends_with(' ') => {
                    compare_bpchar(x, y)
                }
                _ => compare(a, b),
            };
            if order.desc { plain.reverse() } else { plain }
        }
    }
}

#[test]
fn keys_sort_as_values() {
    for ty in TYPES {
        let mut rng = Rng::new(u64::from(*ty));
        for _ in 0..20_000 {
            let (mut a, mut b) = (rng.datum(*ty), rng.datum(*ty));
            if *ty == oid::TEXT {
                // Blanks count in text: keep them away from the end, where `expected` takes bpchar.
                for d in [&mut a, &mut b] {
                    if let Datum::Text(s) = d {
                        *d = Datum::text(s.trim_end_matches(' '));
                    }
                }
            }
            for order in ORDERS {
                let got = key(&a, *ty, order).cmp(&key(&b, *ty, order));
                assert_eq!(
                    got,
                    expected(&a, &b, order),
                    "{a:?} and {b:?} of type {ty}, {order:?}"
                );
            }
        }
    }
}

#[test]
fn a_prefix_of_columns_decides_first() {
    let mut rng = Rng::new(7);
    let types = [oid::TEXT, oid::NUMERIC, oid::INT4_ARRAY, oid::INT4];
    for round in 0..20_000 {
        let orders: Vec<KeyOrder> = (0..4).map(|_| ORDERS[rng.below(4) as usize]).collect();
        let row = |rng: &mut Rng| -> Vec<Datum> {
            types
                .iter()
                .map(|t| match rng.datum(*t) {
                    Datum::Text(s) => Datum::text(s.trim_end_matches(' ')),
                    d => d,
                })
                .collect()
        };
        let (a, mut b) = (row(&mut rng), row(&mut rng));
        // Often let the first columns agree.
        let alike = rng.below(4) as usize;
        b[..alike].clone_from_slice(&a[..alike]);
        let encoded = |row: &[Datum]| {
            let mut out = Vec::new();
            encode_all(&mut out, row, &types, &orders);
            out
        };
        let want = (0..4)
            .map(|i| expected(&a[i], &b[i], orders[i]))
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal);
        assert_eq!(
            encoded(&a).cmp(&encoded(&b)),
            want,
            "round {round}: {a:?} and {b:?} by {orders:?}"
        );
    }
}

#[test]
fn keys_read_back() {
    for ty in TYPES {
        let mut rng = Rng::new(u64::from(*ty) + 99);
        for _ in 0..5_000 {
            let d = rng.datum(*ty);
            for order in ORDERS {
                let mut bytes = key(&d, *ty, order);
                bytes.extend_from_slice(b"tail");
                let mut rest = bytes.as_slice();
                let back = decode(&mut rest, *ty, order).expect("a key");
                assert_eq!(rest, b"tail", "{d:?} of type {ty}");
                assert_eq!(
                    expected(&d, &back, KeyOrder::ASC),
                    Ordering::Equal,
                    "{d:?} came back as {back:?}"
                );
                if is_exact(*ty) {
                    assert_eq!(d, back);
                }
            }
        }
    }
}

#[test]
fn damaged_keys_are_refused() {
    let mut rng = Rng::new(5);
    for _ in 0..20_000 {
        let ty = TYPES[rng.below(TYPES.len() as u64) as usize];
        let mut bytes = key(&rng.datum(ty), ty, KeyOrder::ASC);
        bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
        if let Some(b) = bytes.last_mut() {
            *b ^= rng.next() as u8;
        }
        // Any answer will do; a panic will not.
        let _ = decode(&mut bytes.as_slice(), ty, KeyOrder::ASC);
    }
}
