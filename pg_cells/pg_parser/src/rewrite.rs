//! Spellings that sqlparser does not read, as ones that it does and that mean
//! the same.

use crate::clauses;
use crate::text::{Text, Tok};
use alloc::vec::Vec;
use pg_parser_port::{KEY_SHARE, NO_KEY_UPDATE};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Whether a token is this word, unquoted.
pub fn is(token: Option<&Tok>, word: &str) -> bool {
    matches!(token.map(|t| &t.token), Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// The tokens of a statement for sqlparser.
pub fn rewrite(text: &Text<'_>, tokens: &[Tok]) -> Vec<Tok> {
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
        if is(Some(token), "for")
            && let Some(taken) = locking(rest, &mut out)
        {
            at += taken;
            continue;
        }
        if is(Some(token), "on")
            && let Some(taken) = clauses::inference(text, rest, &mut out)
                .or_else(|| clauses::set_columns(rest, &mut out))
        {
            at += taken;
            continue;
        }
        out.push(token.clone());
        at += 1;
    }
    out
}

/// A locking clause with one of the two strengths that sqlparser does not know, or
/// with several tables, becomes one clause a table, the strength being the first
/// part of the table's name. Tells how many tokens it was.
fn locking(clause: &[Tok], out: &mut Vec<Tok>) -> Option<usize> {
    let word = |at: usize, word: &str| is(clause.get(at), word);
    let (strength, marker, mut at) = if word(1, "no") && word(2, "key") && word(3, "update") {
        ("UPDATE", Some(NO_KEY_UPDATE), 4)
    } else if word(1, "key") && word(2, "share") {
        ("SHARE", Some(KEY_SHARE), 3)
    } else if word(1, "update") && word(2, "of") {
        ("UPDATE", None, 2)
    } else if word(1, "share") && word(2, "of") {
        ("SHARE", None, 2)
    } else {
        return None;
    };
    let mut names: Vec<&[Tok]> = Vec::new();
    if word(at, "of") {
        loop {
            let start = at + 1;
            let is_name = |t: &&Tok| matches!(t.token, Token::Word(_) | Token::Period);
            let len = clause.get(start..)?.iter().take_while(is_name).count();
            // A clause that follows the names is no part of them.
            let end = ["nowait", "skip", "for", "limit", "offset", "fetch"];
            let name = &clause[start..start + len];
            let stop = name.iter().position(|t| end.iter().any(|w| is(Some(t), w)));
            let name = &name[..stop.unwrap_or(len)];
            names.push(name);
            at = start + name.len();
            if clause.get(at).map(|t| &t.token) != Some(&Token::Comma) {
                break;
            }
        }
    } else {
        names.push(&[]);
    }
    let tail = if word(at, "nowait") {
        1
    } else if word(at, "skip") && word(at + 1, "locked") {
        2
    } else {
        0
    };
    let span = clause.first()?.span;
    let put = |out: &mut Vec<Tok>, token| out.push(TokenWithSpan::new(token, span));
    for name in names {
        put(out, Token::make_word("FOR", None));
        put(out, Token::make_word(strength, None));
        if marker.is_some() || !name.is_empty() {
            put(out, Token::make_word("OF", None));
        }
        if let Some(marker) = marker {
            put(out, Token::make_word(marker, Some('"')));
            if !name.is_empty() {
                put(out, Token::Period);
            }
        }
        out.extend_from_slice(name);
        out.extend_from_slice(&clause[at..at + tail]);
    }
    Some(at + tail)
}
