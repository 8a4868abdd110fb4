//! The fingerprint of a hot statement: its text with the literals lifted out.
//!
//! One pass over the bytes, no syntax tree; what stands between the literals is
//! copied as it is. A literal is lifted only where it can be nothing but a
//! value: beside a comparison or arithmetic operator, or in a list after one of
//! `(`, `,` inside VALUES or IN. Anything unusual (comments, dollar quotes, E''
//! strings, casts, placeholders of the client's own) makes the statement not
//! normalizable: it is then parsed as it is.

use crate::words::{self, Kind, Role, kind};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_parser_port::{Literal, Normalized};

/// Longest text worth a cache entry.
const MAX_TEXT: usize = 2000;
/// Most literals lifted out of one statement.
const MAX_LITERALS: usize = 64;
/// How much longer than the text its key may become before it has to grow.
const ROOM: usize = 16;

/// What a token was, for the decision about its neighbour.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Start of the statement, or a word that no value follows.
    Other,
    /// An operator, after which a value stands.
    Operator,
    /// The same, and a text may stand there: it compares.
    Comparison,
    /// `(` or `,` of a list of values.
    List,
    /// A name, a literal or `)`: a sign after it is binary.
    Operand,
}

struct Scan<'a> {
    sql: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// What lies before this is in the key.
    copied: usize,
    key: &'a mut String,
    literals: &'a mut Vec<Literal>,
    before: Before,
    /// A bit for each open parenthesis, the innermost lowest: whether it holds
    /// values. The uppermost bit marks the end.
    lists: u64,
    /// Inside VALUES or behind IN.
    values: bool,
    /// BETWEEN was met: an AND may stand before its second value.
    between: bool,
}

/// See the module.
pub fn normalize(sql: &str, out: &mut Normalized) -> Option<()> {
    let sql = sql.trim_ascii_start();
    let first = sql.get(..6)?;
    let verbs = ["select", "insert", "update", "delete"];
    if sql.len() > MAX_TEXT || !verbs.iter().any(|verb| verb.eq_ignore_ascii_case(first)) {
        return None;
    }
    out.key.clear();
    out.key.reserve(sql.len() + ROOM);
    out.literals.clear();
    let mut scan = Scan {
        sql,
        bytes: sql.as_bytes(),
        at: 0,
        copied: 0,
        key: &mut out.key,
        literals: &mut out.literals,
        before: Before::Other,
        lists: 1,
        values: false,
        between: false,
    };
    while scan.step()? {}
    if scan.literals.is_empty() {
        return None;
    }
    let tail = sql.get(scan.copied..scan.at)?.trim_ascii_end();
    scan.key.push_str(tail);
    Some(())
}

impl Scan<'_> {
    #[inline]
    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Takes one token; `Some(false)` at the end, `None` to give up.
    fn step(&mut self) -> Option<bool> {
        while kind(self.byte(0)) == Kind::Blank {
            self.at += 1;
        }
        let byte = self.byte(0);
        match kind(byte) {
            Kind::Letter => return self.word(),
            Kind::Digit => return self.number(false),
            _ => {}
        }
        match byte {
            0 => return Some(false),
            b';' => {
                let rest = self.sql.get(self.at + 1..)?;
                return rest.trim_ascii().is_empty().then_some(false);
            }
            b'\'' => return self.text(),
            b'-' | b'+' if self.signed() => return self.number(true),
            b'"' => return self.quoted_name(),
            b'(' => {
                if self.lists >> 63 != 0 {
                    return None;
                }
                let list = self.values || self.in_list();
                self.lists = self.lists << 1 | u64::from(list);
                self.before = if list { Before::List } else { Before::Other };
            }
            b')' => {
                self.lists >>= 1;
                if self.lists == 0 {
                    return None;
                }
                self.before = Before::Operand;
            }
            b',' => {
                self.before = match self.in_list() {
                    true => Before::List,
                    false => Before::Other,
                };
            }
            b'.' => self.before = Before::Other,
            b'=' | b'<' | b'>' | b'+' | b'-' | b'*' | b'/' | b'%' | b'!' | b'|' => {
                return self.operator();
            }
            _ => return None,
        }
        self.at += 1;
        Some(true)
    }

    /// Whether the innermost open parenthesis holds values.
    fn in_list(&self) -> bool {
        self.lists > 1 && self.lists & 1 == 1
    }

    /// Whether a literal may stand here.
    fn takes_value(&self) -> bool {
        matches!(
            self.before,
            Before::Operator | Before::Comparison | Before::List
        )
    }

    /// A sign belongs to the number behind it when no operand is before it and
    /// the position takes a literal.
    fn signed(&self) -> bool {
        self.takes_value() && self.byte(1).is_ascii_digit()
    }

    fn lift(&mut self, literal: Literal, len: usize) -> Option<bool> {
        let start = self.at;
        self.at += len;
        // A cast or a subscript makes the literal part of something else.
        let mut ahead = 0;
        while kind(self.byte(ahead)) == Kind::Blank {
            ahead += 1;
        }
        if self.byte(ahead) == b':' || self.literals.len() >= MAX_LITERALS {
            return None;
        }
        // Leading zeros tell the types apart: plans of one are not good for another.
        let sign = match literal {
            Literal::Int4(_) => "$",
            Literal::Text(_) => "$0",
            Literal::Int8(_) => "$00",
            Literal::Numeric(_) => "$000",
        };
        self.literals.push(literal);
        self.key.push_str(self.sql.get(self.copied..start)?);
        self.copied = self.at;
        if self.bytes.get(start.wrapping_sub(1)) != Some(&b' ') {
            self.key.push(' ');
        }
        self.key.push_str(sign);
        let number = self.literals.len() as u8;
        if number >= 10 {
            self.key.push(char::from(b'0' + number / 10));
        }
        self.key.push(char::from(b'0' + number % 10));
        if matches!(kind(self.byte(0)), Kind::Letter | Kind::Digit) {
            self.key.push(' ');
        }
        self.before = Before::Operand;
        Some(true)
    }

    fn number(&mut self, signed: bool) -> Option<bool> {
        let start = self.at + usize::from(signed);
        let tail = self.bytes.get(start..)?;
        let mut digits = true;
        let mut len = 0;
        for byte in tail {
            match kind(*byte) {
                Kind::Digit => {}
                Kind::Letter if byte.is_ascii() => return None,
                _ if *byte == b'.' => digits = false,
                _ => break,
            }
            len += 1;
        }
        let end = start + len;
        let length = end - self.at;
        if !self.takes_value() {
            self.at = end;
            self.before = Before::Operand;
            return Some(true);
        }
        let text = self.sql.get(self.at..end)?;
        let text = text.strip_prefix('+').unwrap_or(text);
        let literal = match pg_types::plain_int(pg_types::oid::INT4, text.as_bytes()) {
            Some(pg_types::Datum::Int4(small)) if digits => Literal::Int4(small),
            _ => {
                if let Ok(small) = text.parse::<i32>() {
                    Literal::Int4(small)
                } else if let Ok(large) = text.parse::<i64>() {
                    Literal::Int8(large)
                } else {
                    Literal::Numeric(text.to_string())
                }
            }
        };
        self.lift(literal, length)
    }

    fn text(&mut self) -> Option<bool> {
        let mut end = self.at + 1;
        loop {
            match self.bytes.get(end)? {
                b'\'' if self.bytes.get(end + 1) == Some(&b'\'') => end += 2,
                b'\'' => break,
                _ => end += 1,
            }
        }
        // Only plain comparisons and lists: after || or - the type would have
        // to be inferred from the literal itself.
        if !matches!(self.before, Before::List | Before::Comparison) {
            return None;
        }
        let body = self.sql.get(self.at + 1..end)?.replace("''", "'");
        // 'a' 'b' on two lines is one literal.
        let rest = self.sql.get(end + 1..)?.trim_start();
        if rest.starts_with('\'') {
            return None;
        }
        self.lift(Literal::Text(body), end + 1 - self.at)
    }

    fn quoted_name(&mut self) -> Option<bool> {
        self.at += self.sql.get(self.at + 1..)?.find('"')? + 2;
        self.before = Before::Operand;
        Some(true)
    }

    fn operator(&mut self) -> Option<bool> {
        let tail = &self.bytes[self.at..];
        let comment = tail.starts_with(b"--") || tail.starts_with(b"/*");
        if comment {
            return None;
        }
        let mut len = 1;
        if tail.len() > 1 && matches!(&tail[..2], b"<=" | b">=" | b"<>" | b"!=" | b"||") {
            len = 2;
        }
        // Operators longer than these are rare: not hot.
        if tail.get(len).is_some_and(|b| b"=<>*/%!|&#~@^?".contains(b)) {
            return None;
        }
        self.before = match tail[len - 1] {
            b'=' | b'<' | b'>' => Before::Comparison,
            _ => Before::Operator,
        };
        self.at += len;
        Some(true)
    }

    fn word(&mut self) -> Option<bool> {
        let tail = self.bytes.get(self.at..)?;
        let (len, role) = words::word(tail);
        if tail.get(len) == Some(&b'\'') {
            return None;
        }
        self.at += len;
        self.before = match role {
            Role::Name => Before::Operand,
            Role::Unusual => return None,
            Role::Values => {
                self.values = true;
                Before::Other
            }
            Role::NoValues => {
                self.values = false;
                Before::Operand
            }
            Role::NoValuesOrOperand => {
                self.values = false;
                Before::Other
            }
            Role::Between => {
                self.between = true;
                Before::Operator
            }
            Role::And if self.between => Before::Operator,
            Role::And | Role::NoOperand => Before::Other,
        };
        Some(true)
    }
}
