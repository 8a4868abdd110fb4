//! Clauses that sqlparser reads only in part: expressions and a condition in ON
//! CONFLICT's target, columns behind ON DELETE SET NULL and SET DEFAULT. Their
//! texts travel in names that begin with [`MARK`], as no name of a user does.

use crate::rewrite::is;
use crate::text::{Text, Tok};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_parser_port::{MARK, MARK_CONDITION};
use sqlparser::tokenizer::{Token, TokenWithSpan};

fn marked(text: &str, near: &Tok) -> Tok {
    TokenWithSpan::new(Token::make_word(text, Some('"')), near.span)
}

/// The number of tokens from an opening parenthesis to the one that closes it.
fn enclosed(tokens: &[Tok]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// `ON CONFLICT (a, lower(b)) WHERE c` becomes a list of names; what is no plain
/// name is a marked one, and the condition another. Tells how many tokens it was;
/// none when the target is plain.
pub fn inference(text: &Text<'_>, clause: &[Tok], out: &mut Vec<Tok>) -> Option<usize> {
    let opens = clause.get(2)?;
    if !is(clause.get(1), "conflict") || opens.token != Token::LParen {
        return None;
    }
    let close = 2 + enclosed(&clause[2..])? - 1;
    let mut items: Vec<&[Tok]> = Vec::new();
    let (mut depth, mut start) = (0, 3);
    for at in 3..=close {
        match clause[at].token {
            Token::LParen => depth += 1,
            Token::RParen if at < close => depth -= 1,
            Token::Comma | Token::RParen if depth == 0 => {
                items.push(&clause[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    let mut end = close + 1;
    if is(clause.get(end), "where") {
        let tail = &clause[end + 1..];
        let length = tail.iter().position(|t| is(Some(t), "do"))?;
        end += 1 + length;
    }
    let condition = clause.get(close + 2..end).filter(|c| !c.is_empty());
    let is_name = |item: &&[Tok]| matches!(item, [only] if matches!(only.token, Token::Word(_)));
    if items.iter().any(|item| item.is_empty()) || condition.is_none() && items.iter().all(is_name)
    {
        return None;
    }
    out.extend_from_slice(&clause[..3]);
    let comma = || TokenWithSpan::new(Token::Comma, opens.span);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(comma());
        }
        match is_name(item) {
            true => out.extend_from_slice(item),
            false => out.push(marked(&format!("{MARK}{}", text.slice(item)), opens)),
        }
    }
    if let Some(condition) = condition {
        out.push(comma());
        let words = format!("{MARK_CONDITION}{}", text.slice(condition));
        out.push(marked(&words, opens));
    }
    out.push(clause[close].clone());
    Some(end)
}

/// The columns in `ON DELETE SET NULL (a, b)` become the name that MySQL's FOREIGN
/// KEY has before its columns; `out` ends before `ON`. Tells how many tokens it was.
pub fn set_columns(clause: &[Tok], out: &mut Vec<Tok>) -> Option<usize> {
    let word = |at: usize, word: &str| is(clause.get(at), word);
    let sets = word(1, "delete") && word(2, "set") && (word(3, "null") || word(3, "default"));
    if !sets || clause.get(4)?.token != Token::LParen {
        return None;
    }
    let end = 4 + enclosed(&clause[4..])?;
    let mut names = String::new();
    for (at, token) in clause[5..end - 1].iter().enumerate() {
        match &token.token {
            Token::Word(w) if at % 2 == 0 => {
                names.push(MARK);
                match w.quote_style {
                    Some(_) => names.push_str(&w.value),
                    None => names.push_str(&w.value.to_lowercase()),
                }
            }
            Token::Comma if at % 2 == 1 => {}
            _ => return None,
        }
    }
    let key = (1..out.len())
        .rev()
        .find(|at| is(out.get(*at), "key") && is(out.get(at - 1), "foreign"))?;
    if names.is_empty() || out.get(key + 1)?.token != Token::LParen {
        return None;
    }
    out.insert(key + 1, marked(&names, &clause[4]));
    out.extend_from_slice(&clause[..4]);
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(sql: &str) -> String {
        let text = Text::tokenize(sql).unwrap();
        let tokens = crate::rewrite::rewrite(&text, text.tokens());
        let words: Vec<String> = tokens.iter().map(|t| format!("{}", t.token)).collect();
        words.join(" ").replace(MARK, "~")
    }

    #[test]
    fn targets_of_on_conflict() {
        let head = "INSERT INTO t VALUES ( 1 ) ON CONFLICT";
        let done = |target: &str| rewritten(&format!("{head} {target} DO NOTHING"));
        assert_eq!(done("(a, b)"), format!("{head} ( a , b ) DO NOTHING"));
        assert_eq!(
            done("(lower(a), b) WHERE c > 1"),
            format!("{head} ( \"~lower(a)\" , b , \"~?c > 1\" ) DO NOTHING")
        );
        assert_eq!(
            done("((a || b))"),
            format!("{head} ( \"~(a || b)\" ) DO NOTHING")
        );
    }

    #[test]
    fn columns_of_set_null() {
        assert_eq!(
            rewritten("FOREIGN KEY (a, b) REFERENCES t ON DELETE SET NULL (b, \"C\") MATCH FULL"),
            "FOREIGN KEY \"~b~C\" ( a , b ) REFERENCES t ON DELETE SET NULL MATCH FULL"
        );
    }
}
