//! The fingerprint of a hot statement: its text with the literals lifted out.
//!
//! One pass over the bytes, no syntax tree. A literal is lifted only where it
//! can be nothing but a value: beside a comparison or arithmetic operator, or in
//! a list after one of `(`, `,` inside VALUES or IN. Anything unusual (comments,
//! dollar quotes, E'' strings, casts, placeholders of the client's own) makes
//! the statement not normalizable: it is then parsed as it is.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_parser_port::{Literal, Normalized};

/// Longest text worth a cache entry.
const MAX_TEXT: usize = 2000;
/// Most literals lifted out of one statement.
const MAX_LITERALS: usize = 64;

/// What a token was, for the decision about its neighbour.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Start of the statement, or a word that no value follows.
    Other,
    /// An operator, after which a value stands.
    Operator,
    /// `(` or `,` of a list of values.
    List,
    /// A name, a literal or `)`: a sign after it is binary.
    Operand,
}

struct Scan<'a> {
    sql: &'a str,
    at: usize,
    key: String,
    literals: Vec<Literal>,
    before: Before,
    /// For each open parenthesis whether it holds values.
    lists: Vec<bool>,
    /// Inside VALUES or behind IN.
    values: bool,
}

/// See the module.
pub fn normalize(sql: &str) -> Option<Normalized> {
    let first = sql.trim_start().get(..6)?.to_ascii_lowercase();
    if sql.len() > MAX_TEXT || !["select", "insert", "update", "delete"].contains(&first.as_str()) {
        return None;
    }
    let mut scan = Scan {
        sql,
        at: 0,
        key: String::with_capacity(sql.len()),
        literals: Vec::new(),
        before: Before::Other,
        lists: Vec::new(),
        values: false,
    };
    while scan.step()? {}
    (!scan.literals.is_empty()).then_some(Normalized {
        key: scan.key,
        literals: scan.literals,
    })
}

impl Scan<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        self.sql
            .as_bytes()
            .get(self.at + ahead)
            .copied()
            .unwrap_or(0)
    }

    /// Takes one token; `Some(false)` at the end, `None` to give up.
    fn step(&mut self) -> Option<bool> {
        while self.byte(0).is_ascii_whitespace() {
            self.at += 1;
        }
        match self.byte(0) {
            0 => Some(false),
            b';' => {
                let rest = self.sql.get(self.at + 1..)?;
                rest.trim().is_empty().then_some(false)
            }
            b'\'' => self.text(),
            b'0'..=b'9' => self.number(false),
            b'-' | b'+' if self.signed() => self.number(true),
            b'"' => self.quoted_name(),
            b'(' => {
                let list = self.values || self.lists.last() == Some(&true);
                self.lists.push(list);
                self.emit(1);
                self.before = if list { Before::List } else { Before::Other };
                Some(true)
            }
            b')' => {
                self.lists.pop()?;
                self.emit(1);
                self.before = Before::Operand;
                Some(true)
            }
            b',' => {
                let list = self.lists.last() == Some(&true);
                self.emit(1);
                self.before = if list { Before::List } else { Before::Other };
                Some(true)
            }
            b'.' => {
                self.emit(1);
                self.before = Before::Other;
                Some(true)
            }
            b'=' | b'<' | b'>' | b'+' | b'-' | b'*' | b'/' | b'%' | b'!' | b'|' => self.operator(),
            byte if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => self.word(),
            _ => None,
        }
    }

    /// A sign belongs to the number behind it when no operand is before it and
    /// the position takes a literal.
    fn signed(&self) -> bool {
        matches!(self.before, Before::Operator | Before::List) && self.byte(1).is_ascii_digit()
    }

    fn emit(&mut self, len: usize) {
        if !self.key.is_empty() {
            self.key.push(' ');
        }
        self.key.push_str(&self.sql[self.at..self.at + len]);
        self.at += len;
    }

    fn lift(&mut self, literal: Literal, len: usize) -> Option<bool> {
        self.at += len;
        // A cast or a subscript makes the literal part of something else.
        let mut ahead = 0;
        while self.byte(ahead).is_ascii_whitespace() {
            ahead += 1;
        }
        if self.byte(ahead) == b':' || self.literals.len() >= MAX_LITERALS {
            return None;
        }
        self.literals.push(literal);
        self.key.push_str(" $");
        self.key.push_str(&self.literals.len().to_string());
        self.before = Before::Operand;
        Some(true)
    }

    fn number(&mut self, signed: bool) -> Option<bool> {
        let start = self.at + usize::from(signed);
        let tail = self.sql.as_bytes().get(start..)?;
        let len = tail
            .iter()
            .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_')))
            .unwrap_or(tail.len());
        let end = start + len;
        let digits = self.sql.get(self.at..end)?;
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        let plain = digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        if !plain {
            return None;
        }
        let length = end - self.at;
        if !matches!(self.before, Before::Operator | Before::List) {
            self.emit(length);
            self.before = Before::Operand;
            return Some(true);
        }
        let literal = if let Ok(small) = digits.parse::<i32>() {
            Literal::Int4(small)
        } else if let Ok(large) = digits.parse::<i64>() {
            Literal::Int8(large)
        } else {
            Literal::Numeric(digits.to_string())
        };
        self.lift(literal, length)
    }

    fn text(&mut self) -> Option<bool> {
        let bytes = self.sql.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end)? {
                b'\'' if bytes.get(end + 1) == Some(&b'\'') => end += 2,
                b'\'' => break,
                _ => end += 1,
            }
        }
        let body = self.sql.get(self.at + 1..end)?.replace("''", "'");
        // Only plain comparisons and lists: after || or - the type would have
        // to be inferred from the literal itself.
        let taken = self.before == Before::List
            || self.before == Before::Operator && self.key.ends_with(['=', '<', '>']);
        if !taken {
            return None;
        }
        // 'a' 'b' on two lines is one literal.
        let rest = self.sql.get(end + 1..)?.trim_start();
        if rest.starts_with('\'') {
            return None;
        }
        self.lift(Literal::Text(body), end + 1 - self.at)
    }

    fn quoted_name(&mut self) -> Option<bool> {
        let len = self.sql.get(self.at + 1..)?.find('"')? + 2;
        self.emit(len);
        self.before = Before::Operand;
        Some(true)
    }

    fn operator(&mut self) -> Option<bool> {
        let tail = &self.sql.as_bytes()[self.at..];
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
        self.emit(len);
        self.before = Before::Operator;
        Some(true)
    }

    fn word(&mut self) -> Option<bool> {
        let tail = self.sql.as_bytes().get(self.at..)?;
        let len = tail
            .iter()
            .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || *b >= 0x80))
            .unwrap_or(tail.len());
        let word = self.sql.get(self.at..self.at + len)?.to_ascii_lowercase();
        if tail.get(len) == Some(&b'\'') {
            return None;
        }
        match word.as_str() {
            // What follows these is not always a plain value.
            "interval" | "order" | "group" | "limit" | "offset" | "fetch" | "over" | "extract"
            | "cast" | "escape" | "like" | "ilike" | "similar" | "collate" | "union" | "except"
            | "intersect" | "with" | "case" | "date" | "time" | "timestamp" | "timestamptz"
            | "array" | "row" | "having" | "distinct" => return None,
            "values" | "in" => self.values = true,
            "on" | "returning" | "where" | "from" | "select" => self.values = false,
            _ => {}
        }
        self.emit(len);
        self.before = match word.as_str() {
            "between" | "and" | "where" | "or" | "not" | "set" | "select" | "values" | "in" => {
                Before::Other
            }
            _ => Before::Operand,
        };
        if word == "between"
            || word == "and" && self.key.contains(" BETWEEN ")
            || word == "and" && self.key.contains(" between ")
        {
            self.before = Before::Operator;
        }
        Some(true)
    }
}
