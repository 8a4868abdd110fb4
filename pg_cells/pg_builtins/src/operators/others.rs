//! Operators of strings, booleans, arrays and the rest.

use super::op;
use crate::operator::Operator;
use pg_types::oid::*;

#[rustfmt::skip] // A table: one operator a line; columns are those of `op`.
pub(super) const TABLE: &[Operator] = &[
    op(2017, "!~~", BYTEA, BYTEA, BOOL, 2006, 0, 2016),
    op(2018, "||", BYTEA, BYTEA, BYTEA, 2011, 0, 0),
    op(2016, "~~", BYTEA, BYTEA, BOOL, 2005, 0, 2017),
    op(640, "!~", NAME, TEXT, BOOL, 1252, 0, 639),
    op(1227, "!~*", NAME, TEXT, BOOL, 1241, 0, 1226),
    op(1208, "!~~", NAME, TEXT, BOOL, 859, 0, 1207),
    op(1626, "!~~*", NAME, TEXT, BOOL, 1636, 0, 1625),
    op(639, "~", NAME, TEXT, BOOL, 79, 0, 640),
    op(1226, "~*", NAME, TEXT, BOOL, 1240, 0, 1227),
    op(1207, "~~", NAME, TEXT, BOOL, 858, 0, 1208),
    op(1625, "~~*", NAME, TEXT, BOOL, 1635, 0, 1626),
    op(642, "!~", TEXT, TEXT, BOOL, 1256, 0, 641),
    op(1229, "!~*", TEXT, TEXT, BOOL, 1239, 0, 1228),
    op(1210, "!~~", TEXT, TEXT, BOOL, 851, 0, 1209),
    op(1628, "!~~*", TEXT, TEXT, BOOL, 1634, 0, 1627),
    op(3877, "^@", TEXT, TEXT, BOOL, 3696, 0, 0),
    op(654, "||", TEXT, TEXT, TEXT, 1258, 0, 0),
    op(641, "~", TEXT, TEXT, BOOL, 1254, 0, 642),
    op(1228, "~*", TEXT, TEXT, BOOL, 1238, 0, 1229),
    op(1209, "~~", TEXT, TEXT, BOOL, 850, 0, 1210),
    op(1627, "~~*", TEXT, TEXT, BOOL, 1633, 0, 1628),
    op(2779, "||", TEXT, ANYNONARRAY, TEXT, 2003, 0, 0),
    op(1056, "!~", BPCHAR, TEXT, BOOL, 1659, 0, 1055),
    op(1235, "!~*", BPCHAR, TEXT, BOOL, 1657, 0, 1234),
    op(1212, "!~~", BPCHAR, TEXT, BOOL, 1632, 0, 1211),
    op(1630, "!~~*", BPCHAR, TEXT, BOOL, 1661, 0, 1629),
    op(1055, "~", BPCHAR, TEXT, BOOL, 1658, 0, 1056),
    op(1234, "~*", BPCHAR, TEXT, BOOL, 1656, 0, 1235),
    op(1211, "~~", BPCHAR, TEXT, BOOL, 1631, 0, 1212),
    op(1629, "~~*", BPCHAR, TEXT, BOOL, 1660, 0, 1630),
    op(2750, "&&", ANYARRAY, ANYARRAY, BOOL, 2747, 2750, 0),
    op(2752, "<@", ANYARRAY, ANYARRAY, BOOL, 2749, 2751, 0),
    op(2751, "@>", ANYARRAY, ANYARRAY, BOOL, 2748, 2752, 0),
    op(2780, "||", ANYNONARRAY, TEXT, TEXT, 2004, 0, 0),
    op(374, "||", ANYCOMPATIBLE, ANYCOMPATIBLEARRAY, ANYCOMPATIBLEARRAY, 379, 0, 0),
    op(349, "||", ANYCOMPATIBLEARRAY, ANYCOMPATIBLE, ANYCOMPATIBLEARRAY, 378, 0, 0),
    op(375, "||", ANYCOMPATIBLEARRAY, ANYCOMPATIBLEARRAY, ANYCOMPATIBLEARRAY, 383, 0, 0),
];
