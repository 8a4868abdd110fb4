//! Comparison functions behind = <> < <= > >= of every type.

use crate::context::Call;
use crate::function::{Function, f};
use core::cmp::Ordering;
use pg_types::compare::{compare, compare_bpchar};
use pg_types::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, DAY_MICROS, TS_INFINITY, TS_NEG_INFINITY,
};
use pg_types::oid::*;
use pg_types::{Datum, SqlResult};

fn order(args: &[Datum]) -> Ordering {
    match args {
        [a, b, ..] => compare(a, b),
        _ => Ordering::Equal,
    }
}

fn bpchar_order(args: &[Datum]) -> Ordering {
    match args {
        [Datum::Text(a), Datum::Text(b), ..] => compare_bpchar(a, b),
        _ => order(args),
    }
}

/// A date, timestamp or timestamptz as UTC microseconds.
fn instant(d: &Datum, call: &Call<'_>, zoned: bool) -> i64 {
    let local = match d {
        Datum::TimestampTz(t) => return *t,
        Datum::Timestamp(t) => *t,
        Datum::Date(DATE_INFINITY) => TS_INFINITY,
        Datum::Date(DATE_NEG_INFINITY) => TS_NEG_INFINITY,
        // A date beyond the range of timestamps still compares: it saturates.
        Datum::Date(d) => i64::from(*d).saturating_mul(DAY_MICROS),
        _ => 0,
    };
    match local {
        TS_INFINITY | TS_NEG_INFINITY => local,
        _ if zoned => call.ctx.format().time_zone.to_utc(local),
        _ => local,
    }
}

fn mixed_order(args: &[Datum], call: &Call<'_>) -> Ordering {
    let [a, b, ..] = args else {
        return Ordering::Equal;
    };
    let zoned = matches!(a, Datum::TimestampTz(_)) || matches!(b, Datum::TimestampTz(_));
    instant(a, call, zoned).cmp(&instant(b, call, zoned))
}

macro_rules! comparisons {
    ($($eq:ident $bpchar:ident $mixed:ident $test:expr;)*) => {
        $(
            pub(super) fn $eq(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
                let test: fn(Ordering) -> bool = $test;
                Ok(Datum::Bool(test(order(args))))
            }
            fn $bpchar(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
                let test: fn(Ordering) -> bool = $test;
                Ok(Datum::Bool(test(bpchar_order(args))))
            }
            fn $mixed(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
                let test: fn(Ordering) -> bool = $test;
                Ok(Datum::Bool(test(mixed_order(args, call))))
            }
        )*
    };
}

comparisons! {
    eq bpchar_eq mixed_eq Ordering::is_eq;
    ne bpchar_ne mixed_ne Ordering::is_ne;
    lt bpchar_lt mixed_lt Ordering::is_lt;
    le bpchar_le mixed_le Ordering::is_le;
    gt bpchar_gt mixed_gt Ordering::is_gt;
    ge bpchar_ge mixed_ge Ordering::is_ge;
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(56, "boollt", &[BOOL, BOOL], BOOL, lt),
    f(57, "boolgt", &[BOOL, BOOL], BOOL, gt),
    f(60, "booleq", &[BOOL, BOOL], BOOL, eq),
    f(84, "boolne", &[BOOL, BOOL], BOOL, ne),
    f(1691, "boolle", &[BOOL, BOOL], BOOL, le),
    f(1692, "boolge", &[BOOL, BOOL], BOOL, ge),
    f(1948, "byteaeq", &[BYTEA, BYTEA], BOOL, eq),
    f(1949, "bytealt", &[BYTEA, BYTEA], BOOL, lt),
    f(1950, "byteale", &[BYTEA, BYTEA], BOOL, le),
    f(1951, "byteagt", &[BYTEA, BYTEA], BOOL, gt),
    f(1952, "byteage", &[BYTEA, BYTEA], BOOL, ge),
    f(1953, "byteane", &[BYTEA, BYTEA], BOOL, ne),
    f(61, "chareq", &[CHAR, CHAR], BOOL, eq),
    f(70, "charne", &[CHAR, CHAR], BOOL, ne),
    f(72, "charle", &[CHAR, CHAR], BOOL, le),
    f(73, "chargt", &[CHAR, CHAR], BOOL, gt),
    f(74, "charge", &[CHAR, CHAR], BOOL, ge),
    f(1246, "charlt", &[CHAR, CHAR], BOOL, lt),
    f(62, "nameeq", &[NAME, NAME], BOOL, eq),
    f(655, "namelt", &[NAME, NAME], BOOL, lt),
    f(656, "namele", &[NAME, NAME], BOOL, le),
    f(657, "namegt", &[NAME, NAME], BOOL, gt),
    f(658, "namege", &[NAME, NAME], BOOL, ge),
    f(659, "namene", &[NAME, NAME], BOOL, ne),
    f(240, "nameeqtext", &[NAME, TEXT], BOOL, eq),
    f(241, "namelttext", &[NAME, TEXT], BOOL, lt),
    f(242, "nameletext", &[NAME, TEXT], BOOL, le),
    f(243, "namegetext", &[NAME, TEXT], BOOL, ge),
    f(244, "namegttext", &[NAME, TEXT], BOOL, gt),
    f(245, "namenetext", &[NAME, TEXT], BOOL, ne),
    f(467, "int8eq", &[INT8, INT8], BOOL, eq),
    f(468, "int8ne", &[INT8, INT8], BOOL, ne),
    f(469, "int8lt", &[INT8, INT8], BOOL, lt),
    f(470, "int8gt", &[INT8, INT8], BOOL, gt),
    f(471, "int8le", &[INT8, INT8], BOOL, le),
    f(472, "int8ge", &[INT8, INT8], BOOL, ge),
    f(1856, "int82eq", &[INT8, INT2], BOOL, eq),
    f(1857, "int82ne", &[INT8, INT2], BOOL, ne),
    f(1858, "int82lt", &[INT8, INT2], BOOL, lt),
    f(1859, "int82gt", &[INT8, INT2], BOOL, gt),
    f(1860, "int82le", &[INT8, INT2], BOOL, le),
    f(1861, "int82ge", &[INT8, INT2], BOOL, ge),
    f(474, "int84eq", &[INT8, INT4], BOOL, eq),
    f(475, "int84ne", &[INT8, INT4], BOOL, ne),
    f(476, "int84lt", &[INT8, INT4], BOOL, lt),
    f(477, "int84gt", &[INT8, INT4], BOOL, gt),
    f(478, "int84le", &[INT8, INT4], BOOL, le),
    f(479, "int84ge", &[INT8, INT4], BOOL, ge),
    f(1850, "int28eq", &[INT2, INT8], BOOL, eq),
    f(1851, "int28ne", &[INT2, INT8], BOOL, ne),
    f(1852, "int28lt", &[INT2, INT8], BOOL, lt),
    f(1853, "int28gt", &[INT2, INT8], BOOL, gt),
    f(1854, "int28le", &[INT2, INT8], BOOL, le),
    f(1855, "int28ge", &[INT2, INT8], BOOL, ge),
    f(63, "int2eq", &[INT2, INT2], BOOL, eq),
    f(64, "int2lt", &[INT2, INT2], BOOL, lt),
    f(145, "int2ne", &[INT2, INT2], BOOL, ne),
    f(146, "int2gt", &[INT2, INT2], BOOL, gt),
    f(148, "int2le", &[INT2, INT2], BOOL, le),
    f(151, "int2ge", &[INT2, INT2], BOOL, ge),
    f(158, "int24eq", &[INT2, INT4], BOOL, eq),
    f(160, "int24lt", &[INT2, INT4], BOOL, lt),
    f(162, "int24gt", &[INT2, INT4], BOOL, gt),
    f(164, "int24ne", &[INT2, INT4], BOOL, ne),
    f(166, "int24le", &[INT2, INT4], BOOL, le),
    f(168, "int24ge", &[INT2, INT4], BOOL, ge),
    f(852, "int48eq", &[INT4, INT8], BOOL, eq),
    f(853, "int48ne", &[INT4, INT8], BOOL, ne),
    f(854, "int48lt", &[INT4, INT8], BOOL, lt),
    f(855, "int48gt", &[INT4, INT8], BOOL, gt),
    f(856, "int48le", &[INT4, INT8], BOOL, le),
    f(857, "int48ge", &[INT4, INT8], BOOL, ge),
    f(159, "int42eq", &[INT4, INT2], BOOL, eq),
    f(161, "int42lt", &[INT4, INT2], BOOL, lt),
    f(163, "int42gt", &[INT4, INT2], BOOL, gt),
    f(165, "int42ne", &[INT4, INT2], BOOL, ne),
    f(167, "int42le", &[INT4, INT2], BOOL, le),
    f(169, "int42ge", &[INT4, INT2], BOOL, ge),
    f(65, "int4eq", &[INT4, INT4], BOOL, eq),
    f(66, "int4lt", &[INT4, INT4], BOOL, lt),
    f(144, "int4ne", &[INT4, INT4], BOOL, ne),
    f(147, "int4gt", &[INT4, INT4], BOOL, gt),
    f(149, "int4le", &[INT4, INT4], BOOL, le),
    f(150, "int4ge", &[INT4, INT4], BOOL, ge),
    f(247, "texteqname", &[TEXT, NAME], BOOL, eq),
    f(248, "textltname", &[TEXT, NAME], BOOL, lt),
    f(249, "textlename", &[TEXT, NAME], BOOL, le),
    f(250, "textgename", &[TEXT, NAME], BOOL, ge),
    f(251, "textgtname", &[TEXT, NAME], BOOL, gt),
    f(252, "textnename", &[TEXT, NAME], BOOL, ne),
    f(67, "texteq", &[TEXT, TEXT], BOOL, eq),
    f(157, "textne", &[TEXT, TEXT], BOOL, ne),
    f(740, "text_lt", &[TEXT, TEXT], BOOL, lt),
    f(741, "text_le", &[TEXT, TEXT], BOOL, le),
    f(742, "text_gt", &[TEXT, TEXT], BOOL, gt),
    f(743, "text_ge", &[TEXT, TEXT], BOOL, ge),
    f(184, "oideq", &[OID, OID], BOOL, eq),
    f(185, "oidne", &[OID, OID], BOOL, ne),
    f(716, "oidlt", &[OID, OID], BOOL, lt),
    f(717, "oidle", &[OID, OID], BOOL, le),
    f(1638, "oidgt", &[OID, OID], BOOL, gt),
    f(1639, "oidge", &[OID, OID], BOOL, ge),
    f(1265, "tidne", &[TID, TID], BOOL, ne),
    f(1292, "tideq", &[TID, TID], BOOL, eq),
    f(2790, "tidgt", &[TID, TID], BOOL, gt),
    f(2791, "tidlt", &[TID, TID], BOOL, lt),
    f(2792, "tidge", &[TID, TID], BOOL, ge),
    f(2793, "tidle", &[TID, TID], BOOL, le),
    f(1319, "xideqint4", &[XID, INT4], BOOL, eq),
    f(3309, "xidneqint4", &[XID, INT4], BOOL, ne),
    f(68, "xideq", &[XID, XID], BOOL, eq),
    f(3308, "xidneq", &[XID, XID], BOOL, ne),
    f(69, "cideq", &[CID, CID], BOOL, eq),
    f(619, "oidvectorne", &[OIDVECTOR, OIDVECTOR], BOOL, ne),
    f(677, "oidvectorlt", &[OIDVECTOR, OIDVECTOR], BOOL, lt),
    f(678, "oidvectorle", &[OIDVECTOR, OIDVECTOR], BOOL, le),
    f(679, "oidvectoreq", &[OIDVECTOR, OIDVECTOR], BOOL, eq),
    f(680, "oidvectorge", &[OIDVECTOR, OIDVECTOR], BOOL, ge),
    f(681, "oidvectorgt", &[OIDVECTOR, OIDVECTOR], BOOL, gt),
    f(287, "float4eq", &[FLOAT4, FLOAT4], BOOL, eq),
    f(288, "float4ne", &[FLOAT4, FLOAT4], BOOL, ne),
    f(289, "float4lt", &[FLOAT4, FLOAT4], BOOL, lt),
    f(290, "float4le", &[FLOAT4, FLOAT4], BOOL, le),
    f(291, "float4gt", &[FLOAT4, FLOAT4], BOOL, gt),
    f(292, "float4ge", &[FLOAT4, FLOAT4], BOOL, ge),
    f(299, "float48eq", &[FLOAT4, FLOAT8], BOOL, eq),
    f(300, "float48ne", &[FLOAT4, FLOAT8], BOOL, ne),
    f(301, "float48lt", &[FLOAT4, FLOAT8], BOOL, lt),
    f(302, "float48le", &[FLOAT4, FLOAT8], BOOL, le),
    f(303, "float48gt", &[FLOAT4, FLOAT8], BOOL, gt),
    f(304, "float48ge", &[FLOAT4, FLOAT8], BOOL, ge),
    f(305, "float84eq", &[FLOAT8, FLOAT4], BOOL, eq),
    f(306, "float84ne", &[FLOAT8, FLOAT4], BOOL, ne),
    f(307, "float84lt", &[FLOAT8, FLOAT4], BOOL, lt),
    f(308, "float84le", &[FLOAT8, FLOAT4], BOOL, le),
    f(309, "float84gt", &[FLOAT8, FLOAT4], BOOL, gt),
    f(310, "float84ge", &[FLOAT8, FLOAT4], BOOL, ge),
    f(293, "float8eq", &[FLOAT8, FLOAT8], BOOL, eq),
    f(294, "float8ne", &[FLOAT8, FLOAT8], BOOL, ne),
    f(295, "float8lt", &[FLOAT8, FLOAT8], BOOL, lt),
    f(296, "float8le", &[FLOAT8, FLOAT8], BOOL, le),
    f(297, "float8gt", &[FLOAT8, FLOAT8], BOOL, gt),
    f(298, "float8ge", &[FLOAT8, FLOAT8], BOOL, ge),
    f(1048, "bpchareq", &[BPCHAR, BPCHAR], BOOL, bpchar_eq),
    f(1049, "bpcharlt", &[BPCHAR, BPCHAR], BOOL, bpchar_lt),
    f(1050, "bpcharle", &[BPCHAR, BPCHAR], BOOL, bpchar_le),
    f(1051, "bpchargt", &[BPCHAR, BPCHAR], BOOL, bpchar_gt),
    f(1052, "bpcharge", &[BPCHAR, BPCHAR], BOOL, bpchar_ge),
    f(1053, "bpcharne", &[BPCHAR, BPCHAR], BOOL, bpchar_ne),
    f(1086, "date_eq", &[DATE, DATE], BOOL, eq),
    f(1087, "date_lt", &[DATE, DATE], BOOL, lt),
    f(1088, "date_le", &[DATE, DATE], BOOL, le),
    f(1089, "date_gt", &[DATE, DATE], BOOL, gt),
    f(1090, "date_ge", &[DATE, DATE], BOOL, ge),
    f(1091, "date_ne", &[DATE, DATE], BOOL, ne),
    f(2338, "date_lt_timestamp", &[DATE, TIMESTAMP], BOOL, mixed_lt),
    f(2339, "date_le_timestamp", &[DATE, TIMESTAMP], BOOL, mixed_le),
    f(2340, "date_eq_timestamp", &[DATE, TIMESTAMP], BOOL, mixed_eq),
    f(2341, "date_gt_timestamp", &[DATE, TIMESTAMP], BOOL, mixed_gt),
    f(2342, "date_ge_timestamp", &[DATE, TIMESTAMP], BOOL, mixed_ge),
    f(2343, "date_ne_timestamp", &[DATE, TIMESTAMP], BOOL, mixed_ne),
    f(2351, "date_lt_timestamptz", &[DATE, TIMESTAMPTZ], BOOL, mixed_lt).stable(),
    f(2352, "date_le_timestamptz", &[DATE, TIMESTAMPTZ], BOOL, mixed_le).stable(),
    f(2353, "date_eq_timestamptz", &[DATE, TIMESTAMPTZ], BOOL, mixed_eq).stable(),
    f(2354, "date_gt_timestamptz", &[DATE, TIMESTAMPTZ], BOOL, mixed_gt).stable(),
    f(2355, "date_ge_timestamptz", &[DATE, TIMESTAMPTZ], BOOL, mixed_ge).stable(),
    f(2356, "date_ne_timestamptz", &[DATE, TIMESTAMPTZ], BOOL, mixed_ne).stable(),
    f(1102, "time_lt", &[TIME, TIME], BOOL, lt),
    f(1103, "time_le", &[TIME, TIME], BOOL, le),
    f(1104, "time_gt", &[TIME, TIME], BOOL, gt),
    f(1105, "time_ge", &[TIME, TIME], BOOL, ge),
    f(1106, "time_ne", &[TIME, TIME], BOOL, ne),
    f(1145, "time_eq", &[TIME, TIME], BOOL, eq),
    f(2364, "timestamp_lt_date", &[TIMESTAMP, DATE], BOOL, mixed_lt),
    f(2365, "timestamp_le_date", &[TIMESTAMP, DATE], BOOL, mixed_le),
    f(2366, "timestamp_eq_date", &[TIMESTAMP, DATE], BOOL, mixed_eq),
    f(2367, "timestamp_gt_date", &[TIMESTAMP, DATE], BOOL, mixed_gt),
    f(2368, "timestamp_ge_date", &[TIMESTAMP, DATE], BOOL, mixed_ge),
    f(2369, "timestamp_ne_date", &[TIMESTAMP, DATE], BOOL, mixed_ne),
    f(2052, "timestamp_eq", &[TIMESTAMP, TIMESTAMP], BOOL, eq),
    f(2053, "timestamp_ne", &[TIMESTAMP, TIMESTAMP], BOOL, ne),
    f(2054, "timestamp_lt", &[TIMESTAMP, TIMESTAMP], BOOL, lt),
    f(2055, "timestamp_le", &[TIMESTAMP, TIMESTAMP], BOOL, le),
    f(2056, "timestamp_ge", &[TIMESTAMP, TIMESTAMP], BOOL, ge),
    f(2057, "timestamp_gt", &[TIMESTAMP, TIMESTAMP], BOOL, gt),
    f(2520, "timestamp_lt_timestamptz", &[TIMESTAMP, TIMESTAMPTZ], BOOL, mixed_lt).stable(),
    f(2521, "timestamp_le_timestamptz", &[TIMESTAMP, TIMESTAMPTZ], BOOL, mixed_le).stable(),
    f(2522, "timestamp_eq_timestamptz", &[TIMESTAMP, TIMESTAMPTZ], BOOL, mixed_eq).stable(),
    f(2523, "timestamp_gt_timestamptz", &[TIMESTAMP, TIMESTAMPTZ], BOOL, mixed_gt).stable(),
    f(2524, "timestamp_ge_timestamptz", &[TIMESTAMP, TIMESTAMPTZ], BOOL, mixed_ge).stable(),
    f(2525, "timestamp_ne_timestamptz", &[TIMESTAMP, TIMESTAMPTZ], BOOL, mixed_ne).stable(),
    f(2377, "timestamptz_lt_date", &[TIMESTAMPTZ, DATE], BOOL, mixed_lt).stable(),
    f(2378, "timestamptz_le_date", &[TIMESTAMPTZ, DATE], BOOL, mixed_le).stable(),
    f(2379, "timestamptz_eq_date", &[TIMESTAMPTZ, DATE], BOOL, mixed_eq).stable(),
    f(2380, "timestamptz_gt_date", &[TIMESTAMPTZ, DATE], BOOL, mixed_gt).stable(),
    f(2381, "timestamptz_ge_date", &[TIMESTAMPTZ, DATE], BOOL, mixed_ge).stable(),
    f(2382, "timestamptz_ne_date", &[TIMESTAMPTZ, DATE], BOOL, mixed_ne).stable(),
    f(2527, "timestamptz_lt_timestamp", &[TIMESTAMPTZ, TIMESTAMP], BOOL, mixed_lt).stable(),
    f(2528, "timestamptz_le_timestamp", &[TIMESTAMPTZ, TIMESTAMP], BOOL, mixed_le).stable(),
    f(2529, "timestamptz_eq_timestamp", &[TIMESTAMPTZ, TIMESTAMP], BOOL, mixed_eq).stable(),
    f(2530, "timestamptz_gt_timestamp", &[TIMESTAMPTZ, TIMESTAMP], BOOL, mixed_gt).stable(),
    f(2531, "timestamptz_ge_timestamp", &[TIMESTAMPTZ, TIMESTAMP], BOOL, mixed_ge).stable(),
    f(2532, "timestamptz_ne_timestamp", &[TIMESTAMPTZ, TIMESTAMP], BOOL, mixed_ne).stable(),
    f(1152, "timestamptz_eq", &[TIMESTAMPTZ, TIMESTAMPTZ], BOOL, eq),
    f(1153, "timestamptz_ne", &[TIMESTAMPTZ, TIMESTAMPTZ], BOOL, ne),
    f(1154, "timestamptz_lt", &[TIMESTAMPTZ, TIMESTAMPTZ], BOOL, lt),
    f(1155, "timestamptz_le", &[TIMESTAMPTZ, TIMESTAMPTZ], BOOL, le),
    f(1156, "timestamptz_ge", &[TIMESTAMPTZ, TIMESTAMPTZ], BOOL, ge),
    f(1157, "timestamptz_gt", &[TIMESTAMPTZ, TIMESTAMPTZ], BOOL, gt),
    f(1162, "interval_eq", &[INTERVAL, INTERVAL], BOOL, eq),
    f(1163, "interval_ne", &[INTERVAL, INTERVAL], BOOL, ne),
    f(1164, "interval_lt", &[INTERVAL, INTERVAL], BOOL, lt),
    f(1165, "interval_le", &[INTERVAL, INTERVAL], BOOL, le),
    f(1166, "interval_ge", &[INTERVAL, INTERVAL], BOOL, ge),
    f(1167, "interval_gt", &[INTERVAL, INTERVAL], BOOL, gt),
    f(1718, "numeric_eq", &[NUMERIC, NUMERIC], BOOL, eq),
    f(1719, "numeric_ne", &[NUMERIC, NUMERIC], BOOL, ne),
    f(1720, "numeric_gt", &[NUMERIC, NUMERIC], BOOL, gt),
    f(1721, "numeric_ge", &[NUMERIC, NUMERIC], BOOL, ge),
    f(1722, "numeric_lt", &[NUMERIC, NUMERIC], BOOL, lt),
    f(1723, "numeric_le", &[NUMERIC, NUMERIC], BOOL, le),
    f(2981, "record_eq", &[RECORD, RECORD], BOOL, eq),
    f(2982, "record_ne", &[RECORD, RECORD], BOOL, ne),
    f(2983, "record_lt", &[RECORD, RECORD], BOOL, lt),
    f(2984, "record_gt", &[RECORD, RECORD], BOOL, gt),
    f(2985, "record_le", &[RECORD, RECORD], BOOL, le),
    f(2986, "record_ge", &[RECORD, RECORD], BOOL, ge),
    f(390, "array_ne", &[ANYARRAY, ANYARRAY], BOOL, ne),
    f(391, "array_lt", &[ANYARRAY, ANYARRAY], BOOL, lt),
    f(392, "array_gt", &[ANYARRAY, ANYARRAY], BOOL, gt),
    f(393, "array_le", &[ANYARRAY, ANYARRAY], BOOL, le),
    f(396, "array_ge", &[ANYARRAY, ANYARRAY], BOOL, ge),
    f(744, "array_eq", &[ANYARRAY, ANYARRAY], BOOL, eq),
    f(2954, "uuid_lt", &[UUID, UUID], BOOL, lt),
    f(2955, "uuid_le", &[UUID, UUID], BOOL, le),
    f(2956, "uuid_eq", &[UUID, UUID], BOOL, eq),
    f(2957, "uuid_ge", &[UUID, UUID], BOOL, ge),
    f(2958, "uuid_gt", &[UUID, UUID], BOOL, gt),
    f(2959, "uuid_ne", &[UUID, UUID], BOOL, ne),
    f(3231, "pg_lsn_lt", &[PG_LSN, PG_LSN], BOOL, lt),
    f(3232, "pg_lsn_le", &[PG_LSN, PG_LSN], BOOL, le),
    f(3233, "pg_lsn_eq", &[PG_LSN, PG_LSN], BOOL, eq),
    f(3234, "pg_lsn_ge", &[PG_LSN, PG_LSN], BOOL, ge),
    f(3235, "pg_lsn_gt", &[PG_LSN, PG_LSN], BOOL, gt),
    f(3236, "pg_lsn_ne", &[PG_LSN, PG_LSN], BOOL, ne),
    f(3508, "enum_eq", &[ANYENUM, ANYENUM], BOOL, eq),
    f(3509, "enum_ne", &[ANYENUM, ANYENUM], BOOL, ne),
    f(3510, "enum_lt", &[ANYENUM, ANYENUM], BOOL, lt),
    f(3511, "enum_gt", &[ANYENUM, ANYENUM], BOOL, gt),
    f(3512, "enum_le", &[ANYENUM, ANYENUM], BOOL, le),
    f(3513, "enum_ge", &[ANYENUM, ANYENUM], BOOL, ge),
    f(5034, "xid8lt", &[XID8, XID8], BOOL, lt),
    f(5035, "xid8gt", &[XID8, XID8], BOOL, gt),
    f(5036, "xid8le", &[XID8, XID8], BOOL, le),
    f(5037, "xid8ge", &[XID8, XID8], BOOL, ge),
    f(5084, "xid8eq", &[XID8, XID8], BOOL, eq),
    f(5085, "xid8ne", &[XID8, XID8], BOOL, ne),
];
