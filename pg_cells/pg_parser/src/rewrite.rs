//! Spellings that sqlparser does not read, as ones that it does and that mean
//! the same.

use crate::text::Tok;
use alloc::vec::Vec;
use sqlparser::tokenizer::{Token, TokenWithSpan};

fn is(token: Option<&Tok>, word: &str) -> bool {
    matches!(token.map(|t| &t.token), Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// The tokens of a statement for sqlparser.
pub fn rewrite(tokens: &[Tok]) -> Vec<Tok> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let rest = &tokens[at..];
        let before = at.checked_sub(1).and_then(|n| tokens.get(n));
        // TABLE name, where a query may begin, is SELECT * FROM name.
        let query_begins = match before.map(|t| &t.token) {
            None | Some(Token::LParen) => true,
            Some(Token::Word(_)) => ["union", "intersect", "except", "all", "as"]
                .iter()
                .any(|w| is(before, w)),
            _ => false,
        };
        if is(Some(token), "table")
            && query_begins
            && matches!(rest.get(1).map(|t| &t.token), Some(Token::Word(_)))
        {
            for word in ["SELECT", "*", "FROM"] {
                let part = if word == "*" {
                    Token::Mul
                } else {
                    Token::make_word(word, None)
                };
                out.push(TokenWithSpan::new(part, token.span));
            }
            at += 1;
            continue;
        }
        // Row locks between share and update: the stronger neighbour serves.
        if is(Some(token), "for") {
            if is(rest.get(1), "no") && is(rest.get(2), "key") && is(rest.get(3), "update") {
                out.extend([token.clone(), rest[3].clone()]);
                at += 4;
                continue;
            }
            if is(rest.get(1), "key") && is(rest.get(2), "share") {
                out.extend([token.clone(), rest[2].clone()]);
                at += 3;
                continue;
            }
        }
        out.push(token.clone());
        at += 1;
    }
    out
}
