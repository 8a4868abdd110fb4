//! Reading tokens one by one, for the commands parsed here.

use crate::fault;
use crate::text::{Text, Tok};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_plan::QualifiedName;
use pg_types::SqlError;
use sqlparser::tokenizer::Token;

/// A place in a statement's tokens.
pub struct Cursor<'a> {
    pub text: &'a Text<'a>,
    tokens: &'a [Tok],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the first of `tokens`.
    pub fn new(text: &'a Text<'a>, tokens: &'a [Tok]) -> Self {
        Cursor {
            text,
            tokens,
            at: 0,
        }
    }

    /// The next token, not taken.
    pub fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|t| &t.token)
    }

    /// The tokens not taken yet.
    pub fn rest(&self) -> &'a [Tok] {
        &self.tokens[self.at..]
    }

    /// Takes all that is left.
    pub fn take_rest(&mut self) -> &'a [Tok] {
        let rest = self.rest();
        self.at = self.tokens.len();
        rest
    }

    /// Whether nothing is left.
    pub fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The syntax error at the next token.
    pub fn error(&self) -> SqlError {
        match self.tokens.get(self.at) {
            Some(token) => fault::near(self.text, token),
            None => fault::at_end(self.text, self.text.extent(self.tokens).1),
        }
    }

    /// Fails unless nothing is left.
    pub fn end(&self) -> Result<(), SqlError> {
        if self.done() {
            Ok(())
        } else {
            Err(self.error())
        }
    }

    /// Takes one token.
    pub fn next(&mut self) -> Result<&'a Token, SqlError> {
        let token = self.tokens.get(self.at).ok_or_else(|| self.error())?;
        self.at += 1;
        Ok(&token.token)
    }

    /// Whether the `n`th next token is this word, unquoted.
    fn is_word(&self, n: usize, word: &str) -> bool {
        match self.tokens.get(self.at + n).map(|t| &t.token) {
            Some(Token::Word(w)) => w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word),
            _ => false,
        }
    }

    /// Whether the next tokens are these words, separated by blanks.
    pub fn sees(&self, words: &str) -> bool {
        let mut words = words.split(' ').enumerate();
        words.all(|(n, word)| self.is_word(n, word))
    }

    /// Whether the statement is one of those whose plans are kept, by its first
    /// word: none of the commands begins like that.
    pub fn sees_query(&self) -> bool {
        let verbs = ["select", "insert", "update", "delete", "values", "with"];
        verbs.iter().any(|verb| self.is_word(0, verb))
    }

    /// Takes these words if they come next.
    pub fn accept(&mut self, words: &str) -> bool {
        let seen = self.sees(words);
        if seen {
            self.at += words.split(' ').count();
        }
        seen
    }

    /// Takes these words or fails.
    pub fn expect(&mut self, words: &str) -> Result<(), SqlError> {
        for word in words.split(' ') {
            if !self.accept(word) {
                return Err(self.error());
            }
        }
        Ok(())
    }

    /// Takes this token if it comes next.
    pub fn symbol(&mut self, token: &Token) -> bool {
        let seen = self.peek() == Some(token);
        self.at += usize::from(seen);
        seen
    }

    /// Takes this token or fails.
    pub fn expect_symbol(&mut self, token: &Token) -> Result<(), SqlError> {
        if self.symbol(token) {
            Ok(())
        } else {
            Err(self.error())
        }
    }

    /// A name: a word, folded unless quoted.
    pub fn name(&mut self) -> Result<String, SqlError> {
        match self.peek() {
            Some(Token::Word(w)) => {
                self.at += 1;
                Ok(match w.quote_style {
                    Some(_) => w.value.clone(),
                    None => w.value.to_lowercase(),
                })
            }
            _ => Err(self.error()),
        }
    }

    /// A name of several parts.
    pub fn dotted(&mut self) -> Result<Vec<String>, SqlError> {
        let mut parts = alloc::vec![self.name()?];
        while self.symbol(&Token::Period) {
            parts.push(self.name()?);
        }
        Ok(parts)
    }

    /// A name with or without its schema; a database's name before it must be
    /// looked at by nobody.
    pub fn qualified(&mut self) -> Result<QualifiedName, SqlError> {
        let before = self.at;
        let mut parts = self.dotted()?;
        let name = parts.pop().unwrap_or_default();
        if parts.len() > 1 {
            self.at = before;
            return Err(SqlError::unsupported("cross-database references"));
        }
        Ok(QualifiedName {
            schema: parts.pop(),
            name,
        })
    }

    /// Things separated by commas.
    pub fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let mut out = alloc::vec![item(self)?];
        while self.symbol(&Token::Comma) {
            out.push(item(self)?);
        }
        Ok(out)
    }

    /// Names in parentheses, if an opening one comes next.
    pub fn columns(&mut self) -> Result<Vec<String>, SqlError> {
        if !self.symbol(&Token::LParen) {
            return Ok(Vec::new());
        }
        let names = self.list(Self::name)?;
        self.expect_symbol(&Token::RParen)?;
        Ok(names)
    }

    /// A string literal.
    pub fn string(&mut self) -> Result<String, SqlError> {
        match self.peek() {
            Some(
                Token::SingleQuotedString(s)
                | Token::EscapedStringLiteral(s)
                | Token::UnicodeStringLiteral(s),
            ) => {
                self.at += 1;
                Ok(s.clone())
            }
            Some(Token::DollarQuotedString(s)) => {
                self.at += 1;
                Ok(s.value.clone())
            }
            _ => Err(self.error()),
        }
    }

    /// A whole number with an optional sign.
    pub fn integer(&mut self) -> Result<i64, SqlError> {
        let before = self.at;
        let minus = self.symbol(&Token::Minus);
        if !minus {
            self.symbol(&Token::Plus);
        }
        if let Some(Token::Number(digits, _)) = self.peek() {
            let text = if minus {
                alloc::format!("-{digits}")
            } else {
                digits.to_string()
            };
            if let Ok(number) = text.parse() {
                self.at += 1;
                return Ok(number);
            }
        }
        self.at = before;
        Err(self.error())
    }

    /// Skips to behind the parenthesis that closes the one just taken, giving
    /// the tokens between.
    pub fn balanced(&mut self) -> Result<&'a [Tok], SqlError> {
        let start = self.at;
        let mut depth = 1;
        while depth > 0 {
            match self.next()? {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
        }
        Ok(&self.tokens[start..self.at - 1])
    }
}
