//! PostgreSQL's regular expressions, translated for `regex-automata`.
//!
//! Most of the advanced syntax is alike; what differs is rewritten: word
//! boundaries (`\y \m \M`), `\Z`, classes (ASCII, as in collation C), a lone
//! `{`. Back references and look-around need a backtracking engine and are
//! refused with 0A000. Where alternatives overlap the first one wins, while
//! PostgreSQL takes the longest.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;
use pg_types::{SqlError, SqlResult, SqlState};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// Options of a regular expression, from its flags argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `g`: all matches.
    pub global: bool,
    /// `i`: letters match in either case.
    pub fold: bool,
    /// `x`: white space and comments do not count.
    pub expanded: bool,
    /// `n` and `m`: `.` stops at newlines, `^` and `$` match at them; `p` and `w` are its halves.
    pub dot_stops: bool,
    /// See `dot_stops`.
    pub line_anchors: bool,
    /// `q`: the pattern is a plain string.
    pub literal: bool,
}

impl Flags {
    /// Reads a flags argument. 22023 for a letter that is none.
    pub fn parse(text: &str) -> SqlResult<Flags> {
        let mut flags = Flags::default();
        for c in text.chars() {
            match c {
                'g' => flags.global = true,
                'i' => flags.fold = true,
                'c' => flags.fold = false,
                'x' => flags.expanded = true,
                't' => flags.expanded = false,
                'n' | 'm' => (flags.dot_stops, flags.line_anchors) = (true, true),
                'p' => (flags.dot_stops, flags.line_anchors) = (true, false),
                'w' => (flags.dot_stops, flags.line_anchors) = (false, true),
                's' => (flags.dot_stops, flags.line_anchors) = (false, false),
                'q' => flags.literal = true,
                'b' | 'e' => {
                    return Err(SqlError::unsupported(format!(
                        "regular expression option \"{c}\""
                    )));
                }
                _ => {
                    return Err(SqlError::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        format!("invalid regular expression option: \"{c}\""),
                    ));
                }
            }
        }
        Ok(flags)
    }
}

/// Compiled expressions of a session, most recently used first.
#[derive(Default)]
pub struct PatternCache(RefCell<Vec<(String, Flags, Arc<Regex>)>>);

/// As many as PostgreSQL keeps.
const CACHED: usize = 32;

impl PatternCache {
    /// The compiled form of a pattern.
    pub fn get(&self, pattern: &str, flags: Flags) -> SqlResult<Arc<Regex>> {
        let mut cache = self.0.borrow_mut();
        if let Some(at) = cache
            .iter()
            .position(|(p, f, _)| p == pattern && *f == flags)
        {
            let hit = cache.remove(at);
            let regex = hit.2.clone();
            cache.insert(0, hit);
            return Ok(regex);
        }
        let regex = Arc::new(compile(pattern, flags)?);
        cache.truncate(CACHED - 1);
        cache.insert(0, (pattern.into(), flags, regex.clone()));
        Ok(regex)
    }
}

/// Compiles a pattern. 2201B for bad syntax.
pub fn compile(pattern: &str, flags: Flags) -> SqlResult<Regex> {
    let translated = if flags.literal {
        escape(pattern)
    } else {
        translate(pattern)?
    };
    let syntax = syntax::Config::new()
        .case_insensitive(flags.fold)
        .ignore_whitespace(flags.expanded)
        .dot_matches_new_line(!flags.dot_stops)
        .multi_line(flags.line_anchors);
    // A limit keeps `(((a{1000}){1000}){1000})` from eating the machine.
    let config = Regex::config().nfa_size_limit(Some(10 << 20));
    Regex::builder()
        .syntax(syntax)
        .configure(config)
        .build(&translated)
        .map_err(|e| {
            let reason = match e.syntax_error() {
                Some(s) => reason(&format!("{s}")),
                None => "regular expression is too complex",
            };
            SqlError::new(
                SqlState::INVALID_REGULAR_EXPRESSION,
                format!("invalid regular expression: {reason}"),
            )
        })
}

/// PostgreSQL's word for the kind of syntax error.
fn reason(message: &str) -> &'static str {
    let table = [
        ("unclosed character class", "brackets [] not balanced"),
        ("unclosed group", "parentheses () not balanced"),
        ("unopened group", "parentheses () not balanced"),
        ("unclosed counted repetition", "braces {} not balanced"),
        (
            "repetition operator missing expression",
            "quantifier operand invalid",
        ),
        (
            "invalid repetition count range",
            "invalid repetition count(s)",
        ),
        ("invalid character class range", "invalid character range"),
        ("POSIX", "invalid character class"),
        ("incomplete escape", "invalid escape \\ sequence"),
        ("unrecognized escape", "invalid escape \\ sequence"),
        ("exceeds size limit", "regular expression is too complex"),
    ];
    table
        .iter()
        .find(|(theirs, _)| message.contains(theirs))
        .map_or("invalid syntax", |(_, ours)| ours)
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn translate(pattern: &str) -> SqlResult<String> {
    if let Some(rest) = pattern.strip_prefix("***=") {
        return Ok(escape(rest));
    }
    let pattern = pattern.strip_prefix("***:").unwrap_or(pattern);
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut i = 0;
    while i < chars.len() {
        match chars[i] {
            '\\' => i = translate_escape(&chars, i, &mut out)?,
            '[' => i = translate_bracket(&chars, i, &mut out)?,
            '(' if chars.get(i + 1) == Some(&'?') => {
                match (chars.get(i + 2), chars.get(i + 3)) {
                    (Some('=' | '!'), _) | (Some('<'), Some('=' | '!')) => {
                        return Err(SqlError::unsupported("look-around in a regular expression"));
                    }
                    (Some('#'), _) => {
                        while i < chars.len() && chars[i] != ')' {
                            i += 1;
                        }
                        i += 1;
                        continue;
                    }
                    _ => out.push('('),
                }
                i += 1;
            }
            '{' if !chars.get(i + 1).is_some_and(char::is_ascii_digit) => {
                out.push_str("\\{");
                i += 1;
            }
            c => {
                out.push(c);
                i += 1;
            }
        }
    }
    Ok(out)
}

/// An escape outside brackets; gives the place behind it.
fn translate_escape(chars: &[char], i: usize, out: &mut String) -> SqlResult<usize> {
    let Some(&c) = chars.get(i + 1) else {
        return Err(SqlError::new(
            SqlState::INVALID_REGULAR_EXPRESSION,
            "invalid regular expression: invalid escape \\ sequence",
        ));
    };
    let plain = match c {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => "[ \\t\\n\\r\\x0b\\x0c]",
        'S' => "[^ \\t\\n\\r\\x0b\\x0c]",
        'w' => "[A-Za-z0-9_]",
        'W' => "[^A-Za-z0-9_]",
        'y' => "(?-u:\\b)",
        'Y' => "(?-u:\\B)",
        'm' => "(?-u:\\b{start})",
        'M' => "(?-u:\\b{end})",
        'A' => "\\A",
        'Z' => "\\z",
        'a' => "\\x07",
        'b' => "\\x08",
        'e' => "\\x1b",
        'f' => "\\x0c",
        'n' => "\\n",
        'r' => "\\r",
        't' => "\\t",
        'v' => "\\x0b",
        'B' => "\\\\",
        '0' => "\\x00",
        '1'..='9' => {
            return Err(SqlError::unsupported(
                "a back reference in a regular expression",
            ));
        }
        'x' | 'u' | 'U' => {
            out.push('\\');
            out.push(c);
            return Ok(i + 2);
        }
        c if c.is_ascii_alphanumeric() => {
            return Err(SqlError::new(
                SqlState::INVALID_REGULAR_EXPRESSION,
                "invalid regular expression: invalid escape \\ sequence",
            ));
        }
        c => {
            if c.is_ascii_punctuation() {
                out.push('\\');
            }
            out.push(c);
            return Ok(i + 2);
        }
    };
    out.push_str(plain);
    Ok(i + 2)
}

/// A bracket expression; gives the place behind it.
fn translate_bracket(chars: &[char], start: usize, out: &mut String) -> SqlResult<usize> {
    let rest: String = chars[start..].iter().take(7).collect();
    if rest.starts_with("[[:<:]]") {
        out.push_str("(?-u:\\b{start})");
        return Ok(start + 7);
    }
    if rest.starts_with("[[:>:]]") {
        out.push_str("(?-u:\\b{end})");
        return Ok(start + 7);
    }
    out.push('[');
    let mut i = start + 1;
    if chars.get(i) == Some(&'^') {
        out.push('^');
        i += 1;
    }
    let mut first = true;
    while let Some(&c) = chars.get(i) {
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(i + 1);
            }
            '[' if matches!(chars.get(i + 1), Some(':' | '.' | '=')) => {
                let kind = chars[i + 1];
                let body: String = chars[i + 2..].iter().take_while(|c| **c != kind).collect();
                i += 2 + body.chars().count() + 2;
                if kind == ':' {
                    out.push_str(&format!("[:{body}:]"));
                } else {
                    body.chars().for_each(|c| push_member(out, c));
                }
                first = false;
                continue;
            }
            '\\' => {
                let Some(&e) = chars.get(i + 1) else {
                    break;
                };
                match e {
                    'd' => out.push_str("0-9"),
                    's' => out.push_str(" \\t\\n\\r\\x0b\\x0c"),
                    'w' => out.push_str("A-Za-z0-9_"),
                    'n' | 'r' | 't' => {
                        out.push('\\');
                        out.push(e);
                    }
                    _ => push_member(out, e),
                }
                i += 1;
            }
            '-' => out.push('-'),
            c => push_member(out, c),
        }
        first = false;
        i += 1;
    }
    Err(SqlError::new(
        SqlState::INVALID_REGULAR_EXPRESSION,
        "invalid regular expression: brackets [] not balanced",
    ))
}

fn push_member(out: &mut String, c: char) {
    if matches!(c, '[' | ']' | '\\' | '&' | '~' | '^' | '-') {
        out.push('\\');
    }
    out.push(c);
}
