//! Names as texts: splitting `"A".b`, showing a name as short as the path allows,
//! and changing a name within a text of SQL.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_builtins::quote_identifier;
use pg_types::{SqlError, SqlResult, SqlState};

/// The parts of a possibly qualified name, folded unless quoted.
///
/// # Errors
/// 42602.
pub fn split(text: &str) -> SqlResult<Vec<String>> {
    let bad = || SqlError::new(SqlState::INVALID_NAME, "invalid name syntax");
    let (mut parts, mut rest) = (Vec::new(), text.trim());
    loop {
        let (part, tail) = if let Some(quoted) = rest.strip_prefix('"') {
            let (part, tail) = unquote(quoted).ok_or_else(bad)?;
            (part, tail.trim_start())
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let word = rest[..end].trim();
            if word.is_empty() || word.contains(['"', ' ', '(', ')', ',']) {
                return Err(bad());
            }
            (word.to_lowercase(), &rest[end..])
        };
        parts.push(part);
        match tail.strip_prefix('.') {
            Some(tail) => rest = tail.trim_start(),
            None if tail.is_empty() => return Ok(parts),
            None => return Err(bad()),
        }
    }
}

/// A quoted name whose opening quote is gone, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let (mut part, mut rest) = (String::new(), text);
    loop {
        let end = rest.find('"')?;
        part.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, rest)),
        }
    }
}

/// A name with its schema in front, quoted where need be.
#[must_use]
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}

/// `text` with every identifier `from` written as `to`, literals left alone.
#[must_use]
pub fn replace_identifier(text: &str, from: &str, to: &str) -> String {
    let to = quote_identifier(to);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = token_len(rest, first);
        let (token, tail) = rest.split_at(len);
        let same = match first {
            '"' => split(token).is_ok_and(|parts| parts[..] == [from.to_string()]),
            c if is_word(c) => token.to_lowercase() == from,
            _ => false,
        };
        // A function of that name is no column.
        let call = tail.trim_start().starts_with('(');
        out.push_str(if same && !call { &to } else { token });
        rest = tail;
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The length of the token with which a text begins.
fn token_len(text: &str, first: char) -> usize {
    match first {
        '\'' | '"' => {
            let mut end = 1;
            while let Some(at) = text[end..].find(first) {
                end += at + 1;
                if !text[end..].starts_with(first) {
                    return end;
                }
                end += 1;
            }
            text.len()
        }
        c if is_word(c) => text.find(|c| !is_word(c)).unwrap_or(text.len()),
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split() {
        let parts = |text: &str| split(text).unwrap();
        assert_eq!(parts("Tab"), ["tab"]);
        assert_eq!(parts("public.\"A.b\""), ["public", "A.b"]);
        assert_eq!(parts(" \"a\"\"b\" . c "), ["a\"b", "c"]);
        for bad in ["", "a.", "\"a", "a b", "\"a\"b"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn identifiers_are_replaced_in_texts() {
        let text = "a > 1 AND \"a\" <> 'a' AND abs(ab) > a(2)";
        assert_eq!(
            replace_identifier(text, "a", "B c"),
            "\"B c\" > 1 AND \"B c\" <> 'a' AND abs(ab) > a(2)"
        );
    }
}
