//! Syntax errors in PostgreSQL's words.

use crate::text::{Text, Tok};
use alloc::format;
use alloc::string::ToString;
use pg_types::{SqlError, SqlState};
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, TokenizerError};

/// `syntax error at or near` the token.
pub fn near(text: &Text<'_>, token: &Tok) -> SqlError {
    let start = text.offset(token.span.start);
    let end = text.offset(token.span.end);
    near_text(text, start, end)
}

/// The same behind the last token of a statement.
pub fn at_end(text: &Text<'_>, end: usize) -> SqlError {
    match text
        .tokens()
        .iter()
        .find(|t| text.offset(t.span.start) >= end)
    {
        Some(token) => near(text, token),
        None => SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at end of input")
            .at(text.position(text.sql().len())),
    }
}

fn near_text(text: &Text<'_>, start: usize, end: usize) -> SqlError {
    let word = text.sql().get(start..end).unwrap_or("");
    if word.is_empty() {
        return at_end(text, text.sql().len());
    }
    SqlError::new(
        SqlState::SYNTAX_ERROR,
        format!("syntax error at or near \"{word}\""),
    )
    .at(text.position(start))
}

/// A complaint of the tokenizer.
pub fn token(text: &Text<'_>, error: &TokenizerError) -> SqlError {
    let start = text.offset(error.location);
    let rest = text.sql().get(start..).unwrap_or("");
    let what = match error.message.to_ascii_lowercase() {
        m if m.contains("unterminated") && m.contains("dollar") => {
            "unterminated dollar-quoted string"
        }
        m if m.contains("unterminated") && m.contains("comment") => "unterminated /* comment",
        m if m.contains("comment") => "unterminated /* comment",
        m if m.contains("unterminated") || m.contains("expected close delimiter") => {
            if m.contains('"') {
                "unterminated quoted identifier"
            } else {
                "unterminated quoted string"
            }
        }
        _ => "syntax error",
    };
    SqlError::new(
        SqlState::SYNTAX_ERROR,
        format!("{what} at or near \"{rest}\""),
    )
    .at(text.position(start))
}

/// A complaint of the parser over `tokens`.
pub fn parse(text: &Text<'_>, tokens: &[Tok], error: &ParserError) -> SqlError {
    match error {
        ParserError::RecursionLimitExceeded => too_deep(),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let end = text.extent(tokens).1;
            if message.contains("found: EOF") {
                return at_end(text, end);
            }
            let Some(place) = place(message) else {
                return match tokens.first() {
                    Some(first) if tokens.len() == 1 => near(text, first),
                    _ => SqlError::new(SqlState::SYNTAX_ERROR, format!("syntax error: {message}")),
                };
            };
            if place.line == 0 {
                return at_end(text, end);
            }
            let start = text.offset(place);
            match tokens.iter().find(|t| text.offset(t.span.start) >= start) {
                Some(token) => near(text, token),
                None => at_end(text, end),
            }
        }
    }
}

/// 54001.
pub fn too_deep() -> SqlError {
    SqlError::new(
        SqlState::STATEMENT_TOO_COMPLEX,
        "stack depth limit exceeded".to_string(),
    )
    .with_hint("The statement is nested too deeply.")
}

/// The `at Line: l, Column: c` at the end of a message.
fn place(message: &str) -> Option<Location> {
    let (_, tail) = message.rsplit_once(" at Line: ")?;
    let (line, column) = tail.split_once(", Column: ")?;
    Some(Location::new(
        line.trim().parse().ok()?,
        column.trim().parse().ok()?,
    ))
}
