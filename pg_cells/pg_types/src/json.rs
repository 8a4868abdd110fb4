//! JSON texts: checking them (`json`), and the canonical form of `jsonb`.
//!
//! A `jsonb` datum is its canonical text: keys without repetition, shorter ones
//! first, one blank behind colons and commas. Equal values have equal texts.

use crate::error::{SqlError, SqlResult};
use crate::numeric::Numeric;
use crate::sqlstate::SqlState;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::Range;

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 512;

/// A JSON value and where its text stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Json {
    /// What it is.
    pub value: Value,
    /// Its text's place in what was parsed.
    pub span: Range<usize>,
}

/// What a JSON value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// A string, its escapes undone.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order it was written, repeated keys included.
    Object(Vec<(String, Json)>),
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    type_name: &'a str,
}

/// Parses a JSON text. 22P02 for what is none; `type_name` is for the message.
pub fn parse(text: &str, type_name: &str) -> SqlResult<Json> {
    let mut p = Parser {
        text,
        at: 0,
        type_name,
    };
    let value = p.value(0)?;
    p.space();
    if p.at != text.len() {
        return Err(p.bad());
    }
    Ok(value)
}

/// The canonical form of a text as `jsonb`.
pub fn canonical(text: &str) -> SqlResult<String> {
    let mut out = String::with_capacity(text.len());
    put_canonical(&mut out, &parse(text, "json")?.value)?;
    Ok(out)
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn bad(&self) -> SqlError {
        let error = SqlError::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            alloc::format!("invalid input syntax for type {}", self.type_name),
        );
        let rest = &self.text[self.at..];
        let word = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        match rest.chars().next() {
            None => error.with_detail("The input string ended unexpectedly."),
            Some(c) => {
                let token = &rest[..word.max(c.len_utf8())];
                error.with_detail(alloc::format!("Token \"{token}\" is invalid."))
            }
        }
    }

    fn value(&mut self, depth: usize) -> SqlResult<Json> {
        if depth > MAX_DEPTH {
            return Err(SqlError::new(
                SqlState::STATEMENT_TOO_COMPLEX,
                "stack depth limit exceeded",
            ));
        }
        self.space();
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            _ => return Err(self.bad()),
        };
        Ok(Json {
            value,
            span: start..self.at,
        })
    }

    fn word(&mut self, word: &str, value: Value) -> SqlResult<Value> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(rest.len());
        if &rest[..end] != word {
            return Err(self.bad());
        }
        self.at += end;
        Ok(value)
    }

    fn number(&mut self) -> SqlResult<Value> {
        let start = self.at;
        let digits = |p: &mut Self| {
            let from = p.at;
            while p.peek().is_some_and(|b| b.is_ascii_digit()) {
                p.at += 1;
            }
            p.at > from
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.at;
        let mut good = digits(self) && !(leading_zero && self.at - whole > 1);
        if self.peek() == Some(b'.') {
            self.at += 1;
            good &= digits(self);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            good &= digits(self);
        }
        if !good
            || self
                .peek()
                .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            self.at = start;
            return Err(self.bad());
        }
        Ok(Value::Number(self.text[start..self.at].to_string()))
    }

    fn string(&mut self) -> SqlResult<String> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let Some(c) = self.text[self.at..].chars().next() else {
                self.at = start;
                return Err(self.bad());
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => self.escape(&mut out)?,
                c if c < ' ' => {
                    self.at -= 1;
                    return Err(self.bad());
                }
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> SqlResult<()> {
        let Some(b) = self.peek() else {
            return Err(self.bad());
        };
        self.at += 1;
        out.push(match b {
            b'"' | b'\\' | b'/' => char::from(b),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut code = self.hex4()?;
                if (0xd800..0xdc00).contains(&code) && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    let low = self.hex4()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(self.bad());
                    }
                    code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                }
                if code == 0 {
                    return Err(SqlError::new(
                        SqlState::UNTRANSLATABLE_CHARACTER,
                        "unsupported Unicode escape sequence",
                    )
                    .with_detail("\\u0000 cannot be converted to text."));
                }
                char::from_u32(code).ok_or_else(|| self.bad())?
            }
            _ => {
                self.at -= 1;
                return Err(self.bad());
            }
        });
        Ok(())
    }

    fn hex4(&mut self) -> SqlResult<u32> {
        let code = self
            .text
            .get(self.at..self.at + 4)
            .and_then(|h| u32::from_str_radix(h, 16).ok());
        let code = code.ok_or_else(|| self.bad())?;
        self.at += 4;
        Ok(code)
    }

    fn array(&mut self, depth: usize) -> SqlResult<Value> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.bad()),
            }
        }
    }

    fn object(&mut self, depth: usize) -> SqlResult<Value> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(items));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.bad());
            }
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.bad());
            }
            self.at += 1;
            items.push((key, self.value(depth + 1)?));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(items));
                }
                _ => return Err(self.bad()),
            }
        }
    }
}

/// Members of an object as `jsonb` keeps them: the last of each key, shorter keys first.
pub fn members(items: &[(String, Json)]) -> Vec<(&str, &Json)> {
    let mut sorted: Vec<(&str, &Json)> = items.iter().map(|(k, v)| (k.as_str(), v)).collect();
    // Stable, so that of equal keys the one written last stays last.
    sorted.sort_by(|a, b| (a.0.len(), a.0).cmp(&(b.0.len(), b.0)));
    let mut out: Vec<(&str, &Json)> = Vec::with_capacity(sorted.len());
    for member in sorted {
        match out.last_mut() {
            Some(last) if last.0 == member.0 => *last = member,
            _ => out.push(member),
        }
    }
    out
}

/// Appends the canonical form of a value.
pub fn put_canonical(out: &mut String, value: &Value) -> SqlResult<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => {
            let _ = write!(out, "{}", Numeric::parse(n)?); // Writing to a String cannot fail.
        }
        Value::String(s) => put_string(out, s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                put_canonical(out, &item.value)?;
            }
            out.push(']');
        }
        Value::Object(items) => {
            out.push('{');
            for (i, (key, item)) in members(items).into_iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                put_string(out, key);
                out.push_str(": ");
                put_canonical(out, &item.value)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Appends a JSON string literal.
pub fn put_string(out: &mut String, s: &str) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
