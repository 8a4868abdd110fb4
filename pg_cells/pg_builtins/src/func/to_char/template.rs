//! Date templates as fields.

use alloc::string::String;
use alloc::vec::Vec;

/// A piece of a date template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Field {
        /// The keyword in upper case, such as `YYYY` or `P.M.`.
        name: &'static str,
        /// As it was written, for the case of names.
        written: String,
        /// `FM` in front.
        fill: bool,
        /// `TH` (true) or `th` behind.
        ordinal: Option<bool>,
    },
    /// Anything else; quoted texts too.
    Literal(char),
}

/// Keywords, longer ones before their beginnings.
const KEYWORDS: &[&str] = &[
    "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "D", "FF1", "FF2",
    "FF3", "FF4", "FF5", "FF6", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I",
    "J", "MI", "MM", "MONTH", "MON", "MS", "OF", "P.M.", "PM", "Q", "RM", "SSSSS", "SSSS", "SS",
    "TZH", "TZM", "TZ", "US", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y",
];

/// Takes a template apart.
pub(super) fn pieces(template: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let mut chars = rest[1..].char_indices();
            let mut end = rest.len();
            while let Some((i, c)) = chars.next() {
                match c {
                    '"' => {
                        end = i + 2;
                        break;
                    }
                    '\\' => out.extend(chars.next().map(|(_, c)| Piece::Literal(c))),
                    c => out.push(Piece::Literal(c)),
                }
            }
            rest = &rest[end.min(rest.len())..];
            continue;
        }
        if c == '\\' && rest[1..].starts_with('"') {
            out.push(Piece::Literal('"'));
            rest = &rest[2..];
            continue;
        }
        let mut fill = false;
        let mut tail = rest;
        while let Some(prefix) = ["FM", "fm", "TM", "tm", "FX", "fx"]
            .iter()
            .find(|p| tail.starts_with(**p))
        {
            fill |= prefix.eq_ignore_ascii_case("FM");
            tail = &tail[2..];
        }
        match keyword(tail) {
            Some(name) => {
                let written = String::from(&tail[..name.len()]);
                tail = &tail[name.len()..];
                let ordinal = ["TH", "th"]
                    .iter()
                    .position(|s| tail.starts_with(s))
                    .map(|i| i == 0);
                if ordinal.is_some() {
                    tail = &tail[2..];
                }
                out.push(Piece::Field {
                    name,
                    written,
                    fill,
                    ordinal,
                });
                rest = tail;
            }
            // A prefix modifier without a field stands for nothing.
            None if tail.len() < rest.len() => rest = tail,
            None => {
                out.push(Piece::Literal(c));
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

fn keyword(text: &str) -> Option<&'static str> {
    KEYWORDS.iter().copied().find(|k| {
        text.get(..k.len())
            .is_some_and(|t| t.eq_ignore_ascii_case(k))
    })
}
