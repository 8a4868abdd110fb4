//! Random datums for the property tests: seeded, so that a failure repeats.
#![allow(dead_code)] // Each test file uses its part.

use pg_types::oid::{self, Oid};
use pg_types::{ArrayValue, Datum, Dim, Interval, Numeric};
use std::sync::Arc;

/// xorshift64*.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// A number that is often small, zero or extreme.
    pub fn int(&mut self) -> i64 {
        match self.below(5) {
            0 => self.below(5) as i64 - 2,
            1 => i64::MAX,
            2 => i64::MIN,
            3 => self.below(100_000) as i64 - 50_000,
            _ => self.next() as i64,
        }
    }

    pub fn bytes(&mut self, max: u64) -> Vec<u8> {
        let len = self.below(max + 1);
        // Few symbols, zero and one among them, so that prefixes and escapes meet.
        (0..len)
            .map(|_| [0, 1, 2, 0x20, 0x61, 0xff][self.below(6) as usize])
            .collect()
    }

    pub fn text(&mut self, max: u64) -> String {
        let len = self.below(max + 1);
        (0..len)
            .map(|_| ['\u{1}', '\u{2}', ' ', 'a', 'b', 'é', '€'][self.below(7) as usize])
            .collect()
    }

    pub fn numeric(&mut self) -> Numeric {
        match self.below(8) {
            0 => [
                Numeric::NAN,
                Numeric::INFINITY,
                Numeric::NEG_INFINITY,
                Numeric::ZERO,
            ][self.below(4) as usize]
                .clone(),
            1 => {
                let digits: String = (0..1 + self.below(60))
                    .map(|_| char::from(b'0' + self.below(10) as u8))
                    .collect();
                let sign = if self.below(2) == 0 { "-" } else { "" };
                let exponent = self.below(80) as i64 - 40;
                Numeric::parse(&format!("{sign}{digits}e{exponent}")).expect("a number")
            }
            2 => Numeric::from_i128(i128::from(self.below(20) as i64 - 10), 0),
            3 => Numeric::from_i128(i128::from(self.below(2000) as i64 - 1000), 2),
            4 => Numeric::from_i128(i128::from(self.int()), self.below(300) as u16),
            _ => Numeric::from_i128(i128::from(self.int()), self.below(6) as u16),
        }
    }

    pub fn float(&mut self) -> f64 {
        match self.below(6) {
            0 => [
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                0.0,
                -0.0,
                -f64::NAN,
            ][self.below(6) as usize],
            1 => self.below(10) as f64 - 5.0,
            _ => f64::from_bits(self.next()),
        }
    }

    /// A datum of this type; sometimes NULL.
    pub fn datum(&mut self, ty: Oid) -> Datum {
        if self.below(12) == 0 {
            return Datum::Null;
        }
        match ty {
            oid::BOOL => Datum::Bool(self.below(2) == 0),
            oid::CHAR => Datum::Char(self.next() as u8),
            oid::INT2 => Datum::Int2(self.int() as i16),
            oid::INT4 => Datum::Int4(self.int() as i32),
            oid::INT8 => Datum::Int8(self.int()),
            oid::FLOAT4 => Datum::Float4(self.float() as f32),
            oid::FLOAT8 => Datum::Float8(self.float()),
            oid::OID => Datum::Oid(self.int() as u32),
            oid::XID8 => Datum::Xid8(self.next()),
            oid::TID => Datum::Tid(self.int() as u32, self.next() as u16),
            oid::BYTEA => Datum::bytea(&self.bytes(6)),
            oid::NUMERIC => Datum::Numeric(self.numeric()),
            oid::DATE => Datum::Date(self.int() as i32),
            oid::TIME => Datum::Time(self.below(86_400_000_000) as i64),
            oid::TIMESTAMP => Datum::Timestamp(self.int()),
            oid::TIMESTAMPTZ => Datum::TimestampTz(self.int()),
            oid::INTERVAL => Datum::Interval(Interval {
                months: self.below(5) as i32 - 2,
                days: self.below(100) as i32 - 50,
                micros: (self.below(5) as i64 - 2) * 43_200_000_000,
            }),
            oid::UUID => {
                let mut u = [0; 16];
                u.iter_mut().for_each(|b| *b = self.below(3) as u8 * 127);
                Datum::Uuid(u)
            }
            oid::INT4_ARRAY | oid::TEXT_ARRAY => {
                let elem = if ty == oid::INT4_ARRAY {
                    oid::INT4
                } else {
                    oid::TEXT
                };
                let len = self.below(4) as i32;
                let items: Vec<Datum> = (0..len).map(|_| self.datum(elem)).collect();
                let dims = if len == 0 {
                    vec![]
                } else {
                    vec![Dim {
                        len,
                        lower: self.below(2) as i32,
                    }]
                };
                Datum::Array(Arc::new(ArrayValue { elem, dims, items }))
            }
            oid::BPCHAR => Datum::text(self.text(3) + &" ".repeat(self.below(3) as usize)),
            _ => Datum::text(if self.below(10) == 0 {
                self.text(200)
            } else {
                self.text(4)
            }),
        }
    }
}

/// Types that the tests go through.
pub const TYPES: &[Oid] = &[
    oid::BOOL,
    oid::CHAR,
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::OID,
    oid::XID8,
    oid::TID,
    oid::TEXT,
    oid::BPCHAR,
    oid::BYTEA,
    oid::NUMERIC,
    oid::DATE,
    oid::TIME,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
    oid::INTERVAL,
    oid::UUID,
    oid::INT4_ARRAY,
    oid::TEXT_ARRAY,
];
