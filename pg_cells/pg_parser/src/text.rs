//! A text as tokens: blanks and comments dropped, byte offsets kept.

use crate::{dialect, fault};
use alloc::vec::Vec;
use core::ops::Range;
use pg_types::SqlError;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// A token with its span.
pub type Tok = TokenWithSpan;

/// A tokenized text.
pub struct Text<'a> {
    sql: &'a str,
    tokens: Vec<Tok>,
    /// Byte offset of each line's start.
    lines: Vec<usize>,
}

impl<'a> Text<'a> {
    /// Cuts `sql` into tokens.
    pub fn tokenize(sql: &'a str) -> Result<Text<'a>, SqlError> {
        let mut text = Text {
            sql,
            tokens: Vec::new(),
            lines: core::iter::once(0)
                .chain(sql.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
        };
        let tokens = Tokenizer::new(&dialect::Pg, sql)
            .tokenize_with_location()
            .map_err(|e| fault::token(&text, &e))?;
        text.tokens = tokens
            .into_iter()
            .filter(|t| !matches!(t.token, Token::Whitespace(_)))
            .collect();
        Ok(text)
    }

    /// The whole text.
    pub fn sql(&self) -> &'a str {
        self.sql
    }

    /// All tokens.
    pub fn tokens(&self) -> &[Tok] {
        &self.tokens
    }

    /// The token ranges of the statements; empty ones are left out.
    pub fn statements(&self) -> Vec<Range<usize>> {
        let mut out = Vec::new();
        let mut start = 0;
        for (at, token) in self.tokens.iter().enumerate() {
            if token.token == Token::SemiColon {
                out.push(start..at);
                start = at + 1;
            }
        }
        out.push(start..self.tokens.len());
        out.retain(|range| !range.is_empty());
        out
    }

    /// The byte offset of a place.
    pub fn offset(&self, at: Location) -> usize {
        let line = usize::try_from(at.line).unwrap_or(0).saturating_sub(1);
        let column = usize::try_from(at.column).unwrap_or(0).saturating_sub(1);
        let start = self.lines.get(line).copied().unwrap_or(self.sql.len());
        let rest = self.sql.get(start..).unwrap_or("");
        start
            + rest
                .char_indices()
                .nth(column)
                .map_or(rest.len(), |(at, _)| at)
    }

    /// Byte range from the first to the last of `tokens`.
    pub fn extent(&self, tokens: &[Tok]) -> (usize, usize) {
        match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => {
                (self.offset(first.span.start), self.offset(last.span.end))
            }
            _ => (self.sql.len(), self.sql.len()),
        }
    }

    /// The text from the first to the last of `tokens`.
    pub fn slice(&self, tokens: &[Tok]) -> &'a str {
        let (start, end) = self.extent(tokens);
        self.sql.get(start..end).unwrap_or("")
    }

    /// The place of a byte offset in characters, from one.
    pub fn position(&self, offset: usize) -> u32 {
        let before = self.sql.get(..offset).unwrap_or(self.sql);
        u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX)
    }
}
