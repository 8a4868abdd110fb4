//! Arithmetic of dates, times and intervals.

use super::op;
use crate::operator::Operator;
use pg_types::oid::*;

#[rustfmt::skip] // A table: one operator a line; columns are those of `op`.
pub(super) const TABLE: &[Operator] = &[
    op(1336, "-", INVALID, INTERVAL, INTERVAL, 1168, 0, 0),
    op(1100, "+", DATE, INT4, DATE, 1141, 2555, 0),
    op(1101, "-", DATE, INT4, DATE, 1142, 0, 0),
    op(1099, "-", DATE, DATE, INT4, 1140, 0, 0),
    op(1360, "+", DATE, TIME, TIMESTAMP, 1272, 1363, 0),
    op(1076, "+", DATE, INTERVAL, TIMESTAMP, 2071, 2551, 0),
    op(1077, "-", DATE, INTERVAL, TIMESTAMP, 2072, 0, 0),
    op(1363, "+", TIME, DATE, TIMESTAMP, 1296, 1360, 0),
    op(1399, "-", TIME, TIME, INTERVAL, 1690, 0, 0),
    op(1800, "+", TIME, INTERVAL, TIME, 1747, 1849, 0),
    op(1801, "-", TIME, INTERVAL, TIME, 1748, 0, 0),
    op(2067, "-", TIMESTAMP, TIMESTAMP, INTERVAL, 2031, 0, 0),
    op(2066, "+", TIMESTAMP, INTERVAL, TIMESTAMP, 2032, 2553, 0),
    op(2068, "-", TIMESTAMP, INTERVAL, TIMESTAMP, 2033, 0, 0),
    op(1328, "-", TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL, 1188, 0, 0),
    op(1327, "+", TIMESTAMPTZ, INTERVAL, TIMESTAMPTZ, 1189, 2554, 0),
    op(1329, "-", TIMESTAMPTZ, INTERVAL, TIMESTAMPTZ, 1190, 0, 0),
    op(1583, "*", INTERVAL, FLOAT8, INTERVAL, 1618, 1584, 0),
    op(1585, "/", INTERVAL, FLOAT8, INTERVAL, 1326, 0, 0),
    op(2551, "+", INTERVAL, DATE, TIMESTAMP, 2546, 1076, 0),
    op(1849, "+", INTERVAL, TIME, TIME, 1848, 1800, 0),
    op(2553, "+", INTERVAL, TIMESTAMP, TIMESTAMP, 2548, 2066, 0),
    op(2554, "+", INTERVAL, TIMESTAMPTZ, TIMESTAMPTZ, 2549, 1327, 0),
    op(1337, "+", INTERVAL, INTERVAL, INTERVAL, 1169, 1337, 0),
    op(1338, "-", INTERVAL, INTERVAL, INTERVAL, 1170, 0, 0),
];
