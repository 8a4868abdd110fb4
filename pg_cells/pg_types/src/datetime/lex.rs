//! Tokens of date, time and interval texts.
//!
//! The grammar is loose: numbers, words, dates and times separated by blanks or
//! not at all (`2026-01-31T04:05:06+02`). Only the shape is decided here.

use alloc::string::String;
use alloc::vec::Vec;

/// A piece of a date text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Digits, perhaps with one decimal point.
    Number(String),
    /// Digits with colons: `04:05:06.7`.
    Time(String),
    /// Fields joined by `-`, `/` or `.`: `2026-01-31`, `31-Jan-2026`.
    Date(String),
    /// Letters, in lower case.
    Word(String),
    /// A signed number: an offset from UTC, or a part of an interval.
    Signed(String),
    /// A signed word: `-infinity`.
    SignedWord(bool, String),
    /// A zone by its full name: `America/New_York`.
    ZoneName(String),
}

struct Lexer<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
}

/// Splits a text; none when it holds a character that no date has.
pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut lexer = Lexer {
        bytes: text.as_bytes(),
        text,
        at: 0,
    };
    let mut out = Vec::new();
    while let Some(b) = lexer.peek(0) {
        match b {
            b if b.is_ascii_whitespace() || b == 0x0b => lexer.at += 1,
            b'0'..=b'9' => out.push(lexer.numeric()),
            b'a'..=b'z' | b'A'..=b'Z' => out.push(lexer.word()),
            b'+' | b'-' => out.push(lexer.signed()?),
            b'.' if lexer.peek(1).is_some_and(|b| b.is_ascii_digit()) => {
                out.push(Token::Number(
                    lexer.take(|b| b.is_ascii_digit() || b == b'.'),
                ));
            }
            // Other punctuation separates.
            b',' | b'/' | b':' | b'.' | b'(' | b')' | b'@' | b';' => lexer.at += 1,
            _ => return None,
        }
    }
    Some(out)
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn take(&mut self, mut part: impl FnMut(u8) -> bool) -> String {
        let start = self.at;
        while self.peek(0).is_some_and(&mut part) {
            self.at += 1;
        }
        String::from(&self.text[start..self.at])
    }

    fn numeric(&mut self) -> Token {
        let start = self.at;
        self.take(|b| b.is_ascii_digit());
        let delimiter = self.peek(0);
        match delimiter {
            Some(b':') => {
                self.take(|b| b.is_ascii_digit() || b == b':' || b == b'.');
                Token::Time(String::from(&self.text[start..self.at]))
            }
            Some(d @ (b'-' | b'/' | b'.')) => {
                let letters = self.peek(1).is_some_and(|b| b.is_ascii_alphabetic());
                let digits = self.peek(1).is_some_and(|b| b.is_ascii_digit());
                if letters && d != b'.' {
                    self.take(|b| b.is_ascii_alphanumeric() || b == d);
                    return Token::Date(self.text[start..self.at].to_ascii_lowercase());
                }
                if !digits {
                    if d == b'.' {
                        self.at += 1; // `1.` is a number.
                    }
                    return Token::Number(String::from(&self.text[start..self.at]));
                }
                self.take(|b| b.is_ascii_digit() || b == d);
                let body = &self.text[start..self.at];
                if d == b'.' && body.matches('.').count() == 1 {
                    Token::Number(String::from(body))
                } else {
                    Token::Date(String::from(body))
                }
            }
            _ => Token::Number(String::from(&self.text[start..self.at])),
        }
    }

    fn word(&mut self) -> Token {
        let start = self.at;
        self.take(|b| b.is_ascii_alphabetic());
        match self.peek(0) {
            Some(b'-')
                if self.peek(1).is_some_and(|b| b.is_ascii_digit()) && self.at - start >= 3 =>
            {
                // `Jan-31-2026`, unless a zone follows a word like `UTC-3`.
                let rest = &self.text[self.at + 1..];
                if rest.contains('-') {
                    self.take(|b| b.is_ascii_alphanumeric() || b == b'-');
                    return Token::Date(self.text[start..self.at].to_ascii_lowercase());
                }
            }
            Some(b'/') if self.peek(1).is_some_and(|b| b.is_ascii_alphabetic()) => {
                self.take(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'));
                return Token::ZoneName(String::from(&self.text[start..self.at]));
            }
            Some(b'.') => self.at += 1,
            _ => {}
        }
        Token::Word(
            self.text[start..self.at]
                .trim_end_matches('.')
                .to_ascii_lowercase(),
        )
    }

    fn signed(&mut self) -> Option<Token> {
        let negative = self.peek(0) == Some(b'-');
        let start = self.at;
        self.at += 1;
        self.take(|b| b == b' ');
        match self.peek(0)? {
            b if b.is_ascii_digit() || b == b'.' => {
                let body = self.take(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-'));
                let mut out = String::from(if negative { "-" } else { "+" });
                out.push_str(&body);
                Some(Token::Signed(out))
            }
            b if b.is_ascii_alphabetic() => {
                let word = self.take(|b| b.is_ascii_alphabetic());
                Some(Token::SignedWord(negative, word.to_ascii_lowercase()))
            }
            _ => {
                self.at = start;
                None
            }
        }
    }
}
