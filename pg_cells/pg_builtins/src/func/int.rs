//! Integer arithmetic, bit operations and conversions between integer types.

use crate::context::Call;
use crate::function::{Function, f};
use pg_types::oid::*;
use pg_types::{Datum, SqlError, SqlResult};

/// The integer at `i`, widened; 0 for anything else, which a checked plan never has.
fn int(args: &[Datum], i: usize) -> i64 {
    args.get(i).and_then(Datum::as_i64).unwrap_or(0)
}

fn to2(v: Option<i64>) -> SqlResult<Datum> {
    v.and_then(|v| i16::try_from(v).ok())
        .map(Datum::Int2)
        .ok_or_else(|| SqlError::out_of_range("smallint"))
}

fn to4(v: Option<i64>) -> SqlResult<Datum> {
    v.and_then(|v| i32::try_from(v).ok())
        .map(Datum::Int4)
        .ok_or_else(|| SqlError::out_of_range("integer"))
}

fn to8(v: Option<i64>) -> SqlResult<Datum> {
    v.map(Datum::Int8)
        .ok_or_else(|| SqlError::out_of_range("bigint"))
}

fn nonzero(v: i64) -> SqlResult<i64> {
    if v == 0 {
        Err(SqlError::division_by_zero())
    } else {
        Ok(v)
    }
}

macro_rules! arithmetic {
    ($to:ident: $add:ident $sub:ident $mul:ident $div:ident $rem:ident $neg:ident $abs:ident) => {
        fn $add(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            $to(int(args, 0).checked_add(int(args, 1)))
        }
        fn $sub(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            $to(int(args, 0).checked_sub(int(args, 1)))
        }
        fn $mul(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            $to(int(args, 0).checked_mul(int(args, 1)))
        }
        fn $div(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            $to(int(args, 0).checked_div(nonzero(int(args, 1))?))
        }
        #[allow(dead_code)] // The mixed widths have no remainder, negation or absolute value.
        fn $rem(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            // The least integer by -1 has remainder 0; the processor would trap.
            $to(Some(int(args, 0).wrapping_rem(nonzero(int(args, 1))?)))
        }
        fn $neg(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            $to(int(args, 0).checked_neg())
        }
        fn $abs(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            $to(int(args, 0).checked_abs())
        }
    };
}

arithmetic!(to2: add2 sub2 mul2 div2 rem2 neg2 abs2);
arithmetic!(to4: add4 sub4 mul4 div4 rem4 neg4 abs4);
arithmetic!(to8: add8 sub8 mul8 div8 rem8 neg8 abs8);

fn widen2(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    to2(Some(int(args, 0)))
}

fn widen4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    to4(Some(int(args, 0)))
}

fn widen8(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    to8(Some(int(args, 0)))
}

/// To oid. 32-bit integers keep their bits, so that negative ones wrap; wider ones must fit.
fn to_oid(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    match args.first() {
        Some(Datum::Int8(v)) => u32::try_from(*v)
            .map(Datum::Oid)
            .map_err(|_| SqlError::out_of_range("OID")),
        _ => Ok(Datum::Oid(int(args, 0) as u32)),
    }
}

fn oid_to_int4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int4(int(args, 0) as i32))
}

macro_rules! bits {
    ($($variant:ident: $and:ident $or:ident $xor:ident $not:ident $shl:ident $shr:ident $bits:literal;)*) => {
        $(
            fn $and(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
                Ok(Datum::$variant((int(args, 0) & int(args, 1)) as _))
            }
            fn $or(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
                Ok(Datum::$variant((int(args, 0) | int(args, 1)) as _))
            }
            fn $xor(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
                Ok(Datum::$variant((int(args, 0) ^ int(args, 1)) as _))
            }
            fn $not(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
                Ok(Datum::$variant(!int(args, 0) as _))
            }
            fn $shl(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
                Ok(Datum::$variant(int(args, 0).wrapping_shl(int(args, 1) as u32 & ($bits - 1)) as _))
            }
            fn $shr(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
                Ok(Datum::$variant(int(args, 0).wrapping_shr(int(args, 1) as u32 & ($bits - 1)) as _))
            }
        )*
    };
}

// As in C, smallints are shifted as 32-bit integers.
bits! {
    Int2: and2 or2 xor2 not2 shl2 shr2 32;
    Int4: and4 or4 xor4 not4 shl4 shr4 32;
    Int8: and8 or8 xor8 not8 shl8 shr8 64;
}

fn gcd(mut a: i64, mut b: i64) -> Option<i64> {
    while b != 0 {
        (a, b) = (b, a.wrapping_rem(b));
    }
    a.checked_abs()
}

fn gcd4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    to4(gcd(int(args, 0), int(args, 1)))
}

fn gcd8(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    to8(gcd(int(args, 0), int(args, 1)))
}

fn lcm(a: i64, b: i64) -> Option<i64> {
    if a == 0 || b == 0 {
        return Some(0);
    }
    (a / gcd(a, b)?).checked_mul(b)?.checked_abs()
}

fn lcm4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    to4(lcm(int(args, 0), int(args, 1)))
}

fn lcm8(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    to8(lcm(int(args, 0), int(args, 1)))
}

fn to_hex32(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::text(alloc::format!("{:x}", int(args, 0) as u32)))
}

fn to_hex64(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::text(alloc::format!("{:x}", int(args, 0))))
}

fn to_bool(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Bool(int(args, 0) != 0))
}

fn from_bool(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int4(i32::from(matches!(
        args.first(),
        Some(Datum::Bool(true))
    ))))
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    // Casts that keep the bits in PostgreSQL; a datum must change its kind.
    f(8000, "oid", &[INT4], OID, to_oid),
    f(8001, "int4", &[OID], INT4, oid_to_int4),
    f(8002, "oid", &[INT2], OID, to_oid),
    f(176, "int2pl", &[INT2, INT2], INT2, add2),
    f(180, "int2mi", &[INT2, INT2], INT2, sub2),
    f(152, "int2mul", &[INT2, INT2], INT2, mul2),
    f(153, "int2div", &[INT2, INT2], INT2, div2),
    f(155, "int2mod", &[INT2, INT2], INT2, rem2),
    f(940, "mod", &[INT2, INT2], INT2, rem2),
    f(213, "int2um", &[INT2], INT2, neg2),
    f(1253, "int2abs", &[INT2], INT2, abs2),
    f(1398, "abs", &[INT2], INT2, abs2),
    f(1911, "int2up", &[INT2], INT2, widen2),
    f(177, "int4pl", &[INT4, INT4], INT4, add4),
    f(181, "int4mi", &[INT4, INT4], INT4, sub4),
    f(141, "int4mul", &[INT4, INT4], INT4, mul4),
    f(154, "int4div", &[INT4, INT4], INT4, div4),
    f(156, "int4mod", &[INT4, INT4], INT4, rem4),
    f(941, "mod", &[INT4, INT4], INT4, rem4),
    f(212, "int4um", &[INT4], INT4, neg4),
    f(1251, "int4abs", &[INT4], INT4, abs4),
    f(1397, "abs", &[INT4], INT4, abs4),
    f(1912, "int4up", &[INT4], INT4, widen4),
    f(463, "int8pl", &[INT8, INT8], INT8, add8),
    f(464, "int8mi", &[INT8, INT8], INT8, sub8),
    f(465, "int8mul", &[INT8, INT8], INT8, mul8),
    f(466, "int8div", &[INT8, INT8], INT8, div8),
    f(945, "int8mod", &[INT8, INT8], INT8, rem8),
    f(947, "mod", &[INT8, INT8], INT8, rem8),
    f(462, "int8um", &[INT8], INT8, neg8),
    f(1230, "int8abs", &[INT8], INT8, abs8),
    f(1396, "abs", &[INT8], INT8, abs8),
    f(1910, "int8up", &[INT8], INT8, widen8),
    f(178, "int24pl", &[INT2, INT4], INT4, add4),
    f(182, "int24mi", &[INT2, INT4], INT4, sub4),
    f(170, "int24mul", &[INT2, INT4], INT4, mul4),
    f(172, "int24div", &[INT2, INT4], INT4, div4),
    f(179, "int42pl", &[INT4, INT2], INT4, add4),
    f(183, "int42mi", &[INT4, INT2], INT4, sub4),
    f(171, "int42mul", &[INT4, INT2], INT4, mul4),
    f(173, "int42div", &[INT4, INT2], INT4, div4),
    f(1274, "int84pl", &[INT8, INT4], INT8, add8),
    f(1275, "int84mi", &[INT8, INT4], INT8, sub8),
    f(1276, "int84mul", &[INT8, INT4], INT8, mul8),
    f(1277, "int84div", &[INT8, INT4], INT8, div8),
    f(1278, "int48pl", &[INT4, INT8], INT8, add8),
    f(1279, "int48mi", &[INT4, INT8], INT8, sub8),
    f(1280, "int48mul", &[INT4, INT8], INT8, mul8),
    f(1281, "int48div", &[INT4, INT8], INT8, div8),
    f(837, "int82pl", &[INT8, INT2], INT8, add8),
    f(838, "int82mi", &[INT8, INT2], INT8, sub8),
    f(839, "int82mul", &[INT8, INT2], INT8, mul8),
    f(840, "int82div", &[INT8, INT2], INT8, div8),
    f(841, "int28pl", &[INT2, INT8], INT8, add8),
    f(942, "int28mi", &[INT2, INT8], INT8, sub8),
    f(943, "int28mul", &[INT2, INT8], INT8, mul8),
    f(948, "int28div", &[INT2, INT8], INT8, div8),
    f(1892, "int2and", &[INT2, INT2], INT2, and2),
    f(1893, "int2or", &[INT2, INT2], INT2, or2),
    f(1894, "int2xor", &[INT2, INT2], INT2, xor2),
    f(1895, "int2not", &[INT2], INT2, not2),
    f(1896, "int2shl", &[INT2, INT4], INT2, shl2),
    f(1897, "int2shr", &[INT2, INT4], INT2, shr2),
    f(1898, "int4and", &[INT4, INT4], INT4, and4),
    f(1899, "int4or", &[INT4, INT4], INT4, or4),
    f(1900, "int4xor", &[INT4, INT4], INT4, xor4),
    f(1901, "int4not", &[INT4], INT4, not4),
    f(1902, "int4shl", &[INT4, INT4], INT4, shl4),
    f(1903, "int4shr", &[INT4, INT4], INT4, shr4),
    f(1904, "int8and", &[INT8, INT8], INT8, and8),
    f(1905, "int8or", &[INT8, INT8], INT8, or8),
    f(1906, "int8xor", &[INT8, INT8], INT8, xor8),
    f(1907, "int8not", &[INT8], INT8, not8),
    f(1908, "int8shl", &[INT8, INT4], INT8, shl8),
    f(1909, "int8shr", &[INT8, INT4], INT8, shr8),
    f(313, "int4", &[INT2], INT4, widen4),
    f(314, "int2", &[INT4], INT2, widen2),
    f(481, "int8", &[INT4], INT8, widen8),
    f(480, "int4", &[INT8], INT4, widen4),
    f(754, "int8", &[INT2], INT8, widen8),
    f(714, "int2", &[INT8], INT2, widen2),
    f(1287, "oid", &[INT8], OID, to_oid),
    f(1288, "int8", &[OID], INT8, widen8),
    f(2557, "bool", &[INT4], BOOL, to_bool),
    f(2558, "int4", &[BOOL], INT4, from_bool),
    f(5044, "gcd", &[INT4, INT4], INT4, gcd4),
    f(5045, "gcd", &[INT8, INT8], INT8, gcd8),
    f(5046, "lcm", &[INT4, INT4], INT4, lcm4),
    f(5047, "lcm", &[INT8, INT8], INT8, lcm8),
    f(2089, "to_hex", &[INT4], TEXT, to_hex32),
    f(2090, "to_hex", &[INT8], TEXT, to_hex64),
];
