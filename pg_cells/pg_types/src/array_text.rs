//! Array literals: `{1,2,NULL}`, nested braces, `[0:2]={...}`.

use crate::datum::{ArrayValue, Datum, Dim};
use crate::error::{SqlError, SqlResult};
use crate::input::input;
use crate::oid::Oid;
use crate::settings::FormatSettings;
use crate::sqlstate::SqlState;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Most dimensions of an array.
pub const MAX_DIMS: usize = 6;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    elem: Oid,
    typmod: i32,
    settings: &'a FormatSettings,
    /// Length of each nesting level, known once its first brace closed.
    lens: Vec<Option<i32>>,
    /// Level at which elements stand, once one was seen.
    leaf: Option<usize>,
    items: Vec<Datum>,
}

/// Reads an array of `elem`; the typmod is that of the elements.
pub fn parse_array(
    elem: Oid,
    typmod: i32,
    text: &str,
    settings: &FormatSettings,
) -> SqlResult<Datum> {
    let mut p = Parser {
        text,
        at: 0,
        elem,
        typmod,
        settings,
        lens: Vec::new(),
        leaf: None,
        items: Vec::new(),
    };
    p.skip_space();
    let bounds = p.bounds()?;
    if p.peek() != Some(b'{') {
        return Err(p.malformed(match bounds.is_empty() {
            true => "Array value must start with \"{\" or dimension information.",
            false => "Array contents must start with \"{\".",
        }));
    }
    p.level(0)?;
    p.skip_space();
    if p.at != text.len() {
        return Err(p.malformed("Junk after closing right brace."));
    }
    let mut dims: Vec<Dim> = p
        .lens
        .iter()
        .map(|l| Dim {
            len: l.unwrap_or(0),
            lower: 1,
        })
        .collect();
    if !bounds.is_empty() {
        if bounds.len() != dims.len() || bounds.iter().zip(&dims).any(|(b, d)| b.len != d.len) {
            return Err(p.malformed("Specified array dimensions do not match array contents."));
        }
        dims = bounds;
    }
    if p.items.is_empty() {
        dims.clear();
    }
    Ok(Datum::Array(Arc::new(ArrayValue {
        elem,
        dims,
        items: p.items,
    })))
}

impl Parser<'_> {
    fn malformed(&self, detail: &str) -> SqlError {
        SqlError::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("malformed array literal: \"{}\"", self.text),
        )
        .with_detail(detail)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self
            .peek()
            .is_some_and(|b| b.is_ascii_whitespace() || b == 0x0b)
        {
            self.at += 1;
        }
    }

    /// `[l:u][l:u]=` or `[n]=` in front.
    fn bounds(&mut self) -> SqlResult<Vec<Dim>> {
        let mut dims = Vec::new();
        while self.peek() == Some(b'[') {
            let rest = &self.text[self.at + 1..];
            let end = rest
                .find(']')
                .ok_or_else(|| self.malformed("Missing \"]\" after array dimensions."))?;
            let number = |s: &str| {
                s.parse::<i32>().map_err(|_| {
                    self.malformed("\"[\" must introduce explicitly-specified array dimensions.")
                })
            };
            let (lower, upper) = match rest[..end].split_once(':') {
                Some((l, u)) => (number(l)?, number(u)?),
                None => (1, number(&rest[..end])?),
            };
            let len = upper
                .checked_sub(lower)
                .and_then(|l| l.checked_add(1))
                .filter(|l| *l > 0)
                .ok_or_else(|| {
                    SqlError::new(
                        SqlState::ARRAY_SUBSCRIPT_ERROR,
                        "upper bound cannot be less than lower bound",
                    )
                })?;
            dims.push(Dim { len, lower });
            self.at += end + 2;
            if dims.len() > MAX_DIMS {
                return Err(too_many_dims(dims.len()));
            }
        }
        if !dims.is_empty() {
            self.skip_space();
            if self.peek() != Some(b'=') {
                return Err(self.malformed("Missing \"=\" after array dimensions."));
            }
            self.at += 1;
            self.skip_space();
        }
        Ok(dims)
    }

    fn level(&mut self, depth: usize) -> SqlResult<()> {
        if depth >= MAX_DIMS {
            return Err(too_many_dims(depth + 1));
        }
        if self.leaf.is_some_and(|leaf| depth > leaf) {
            return Err(self.malformed("Unexpected \"{\" character."));
        }
        if self.lens.len() <= depth {
            self.lens.push(None);
        }
        self.at += 1; // The brace, seen by the caller.
        let mut count = 0;
        self.skip_space();
        if self.peek() == Some(b'}') && depth + 1 >= self.lens.len() {
            self.at += 1;
            return self.close(depth, 0);
        }
        loop {
            self.skip_space();
            match self.peek() {
                None => return Err(self.malformed("Unexpected end of input.")),
                Some(b'{') => self.level(depth + 1)?,
                Some(_) => {
                    if *self.leaf.get_or_insert(depth) != depth || self.lens.len() > depth + 1 {
                        return Err(self.malformed("Multidimensional arrays must have sub-arrays with matching dimensions."));
                    }
                    self.element()?;
                }
            }
            count += 1;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return self.close(depth, count);
                }
                None => return Err(self.malformed("Unexpected end of input.")),
                Some(_) => return Err(self.malformed("Unexpected array element.")),
            }
        }
    }

    fn close(&mut self, depth: usize, count: i32) -> SqlResult<()> {
        match self.lens[depth] {
            None => self.lens[depth] = Some(count),
            Some(len) if len == count => {}
            Some(_) => {
                return Err(self.malformed(
                    "Multidimensional arrays must have sub-arrays with matching dimensions.",
                ));
            }
        }
        Ok(())
    }

    fn element(&mut self) -> SqlResult<()> {
        let mut value = String::new();
        let mut quoted = false;
        if self.peek() == Some(b'"') {
            quoted = true;
            self.at += 1;
            self.quoted_body(&mut value)?;
        } else {
            self.bare_body(&mut value)?;
        }
        let item = if !quoted && value.eq_ignore_ascii_case("null") {
            Datum::Null
        } else {
            input(self.elem, self.typmod, &value, self.settings)?
        };
        self.items.push(item);
        Ok(())
    }

    fn quoted_body(&mut self, value: &mut String) -> SqlResult<()> {
        let mut chars = self.text[self.at..].char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(());
                }
                '\\' => match chars.next() {
                    Some((_, c)) => value.push(c),
                    None => break,
                },
                _ => value.push(c),
            }
        }
        Err(self.malformed("Unexpected end of input."))
    }

    fn bare_body(&mut self, value: &mut String) -> SqlResult<()> {
        // Trailing blanks do not belong to the value unless they are escaped.
        let mut keep = 0;
        let mut chars = self.text[self.at..].char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                ',' | '}' => {
                    self.at += i;
                    value.truncate(keep);
                    if value.is_empty() {
                        return Err(self.malformed(&format!("Unexpected \"{c}\" character.")));
                    }
                    return Ok(());
                }
                '{' | '"' => {
                    return Err(self.malformed(match c {
                        '{' => "Unexpected \"{\" character.",
                        _ => "Unexpected array element.",
                    }));
                }
                '\\' => match chars.next() {
                    Some((_, c)) => {
                        value.push(c);
                        keep = value.len();
                    }
                    None => break,
                },
                _ => {
                    value.push(c);
                    if !(c.is_ascii_whitespace() || c == '\x0b') {
                        keep = value.len();
                    }
                }
            }
        }
        Err(self.malformed("Unexpected end of input."))
    }
}

fn too_many_dims(n: usize) -> SqlError {
    SqlError::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!("number of array dimensions ({n}) exceeds the maximum allowed ({MAX_DIMS})"),
    )
}
