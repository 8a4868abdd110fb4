//! Numbers by template: `9,999.99`, `FM000`, `S99`, `RN`, `9.99EEEE`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_types::{Numeric, SqlError, SqlResult, SqlState};

/// A piece of a number template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// `9` (false) or `0` (true).
    Digit(bool),
    Point,
    Group,
    /// `S`, `MI`, `PL`, `SG`.
    Sign,
    Minus,
    Plus,
    EitherSign,
    /// `PR`: angle brackets around negative numbers.
    Brackets,
    Currency,
    /// `TH` (true) or `th`.
    Ordinal(bool),
    Literal(char),
}

/// A template taken apart.
#[derive(Debug, Default)]
pub(super) struct Template {
    pub parts: Vec<Part>,
    /// `FM`: no padding.
    pub fill: bool,
    /// Digits behind `V`.
    pub shift: Option<u32>,
    /// `RN`, in upper case or not.
    pub roman: Option<bool>,
    pub exponent: bool,
}

fn bad(message: &str) -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, message)
}

/// Takes a template apart.
pub(super) fn parse(text: &str) -> SqlResult<Template> {
    let mut t = Template::default();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let upper: String = rest
            .chars()
            .take(4)
            .collect::<String>()
            .to_ascii_uppercase();
        let is = |word: &str| upper.starts_with(word);
        let (part, len) = match c {
            '"' => {
                let body: String = rest[1..].chars().take_while(|c| *c != '"').collect();
                rest = rest.get(body.len() + 2..).unwrap_or("");
                t.parts.extend(body.chars().map(Part::Literal));
                continue;
            }
            _ if is("EEEE") => {
                t.exponent = true;
                rest = &rest[4..];
                continue;
            }
            _ if is("FM") => {
                t.fill = true;
                rest = &rest[2..];
                continue;
            }
            _ if is("RN") => {
                t.roman = Some(rest.starts_with('R'));
                rest = &rest[2..];
                continue;
            }
            _ if is("V") => {
                t.shift = Some(0);
                rest = &rest[1..];
                continue;
            }
            _ if is("MI") => (Part::Minus, 2),
            _ if is("PL") => (Part::Plus, 2),
            _ if is("SG") => (Part::EitherSign, 2),
            _ if is("PR") => (Part::Brackets, 2),
            _ if is("TH") => (Part::Ordinal(rest.starts_with('T')), 2),
            _ if is("S") => (Part::Sign, 1),
            _ if is("L") => (Part::Currency, 1),
            _ if is("D") || c == '.' => (Part::Point, 1),
            _ if is("G") || c == ',' => (Part::Group, 1),
            '9' => (Part::Digit(false), 1),
            '0' => (Part::Digit(true), 1),
            c => (Part::Literal(c), c.len_utf8()),
        };
        if part == Part::Point && t.parts.contains(&Part::Point) {
            return Err(bad("multiple decimal points"));
        }
        if matches!(part, Part::Digit(_)) {
            t.shift = t.shift.map(|s| s + 1);
        }
        t.parts.push(part);
        rest = &rest[len..];
    }
    Ok(t)
}

/// A number by a template.
pub(super) fn format(value: &Numeric, text: &str) -> SqlResult<String> {
    let t = parse(text)?;
    if let Some(upper) = t.roman {
        return Ok(roman(value, upper, t.fill));
    }
    let (before, after) = t.parts.split_at(
        t.parts
            .iter()
            .position(|p| *p == Part::Point)
            .unwrap_or(t.parts.len()),
    );
    let count = |parts: &[Part]| parts.iter().filter(|p| matches!(p, Part::Digit(_))).count();
    let (pre, post) = (count(before), count(after));
    if t.exponent {
        return Ok(exponential(value, post));
    }
    let shifted = match t.shift {
        Some(n) => value.mul(&Numeric::from(10).power(&Numeric::from(n as i32))?)?,
        None => value.clone(),
    };
    let negative = value.signum() < 0 && !value.is_nan();
    let rounded = shifted.abs().round(post as i32);
    let digits = rounded.to_string();
    let (whole, fraction) = if value.is_finite() {
        let (w, f) = digits.split_once('.').unwrap_or((&digits, ""));
        let w = w.trim_start_matches('0');
        if w.len() > pre {
            ("#".repeat(pre), "#".repeat(post))
        } else {
            (w.to_string(), f.to_string())
        }
    } else {
        let word = if value.is_nan() { "NaN" } else { "Infinity" };
        if word.len() > pre {
            ("#".repeat(pre), "#".repeat(post))
        } else {
            (word.to_string(), String::new())
        }
    };
    let negative = negative && !rounded.is_zero();
    Ok(Layout::new(&t, pre, whole, fraction, negative).run())
}

struct Layout<'a> {
    t: &'a Template,
    pre: usize,
    whole: Vec<char>,
    fraction: Vec<char>,
    negative: bool,
    /// How the sign is shown in front of the first digit.
    sign: FloatingSign,
    out: String,
    started: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum FloatingSign {
    /// `-` or a blank.
    Default,
    /// `S` in front: `-` or `+`.
    Always,
    /// `PR`: `<` or a blank.
    Bracket,
    /// Shown elsewhere.
    None,
}

impl<'a> Layout<'a> {
    fn new(
        t: &'a Template,
        pre: usize,
        whole: String,
        fraction: String,
        negative: bool,
    ) -> Layout<'a> {
        let first_digit = t
            .parts
            .iter()
            .position(|p| matches!(p, Part::Digit(_)))
            .unwrap_or(0);
        let s_at = t.parts.iter().position(|p| *p == Part::Sign);
        let has = |p: Part| t.parts.contains(&p);
        let sign = match s_at {
            Some(at) if at < first_digit => FloatingSign::Always,
            Some(_) => FloatingSign::None,
            None if has(Part::Brackets) => FloatingSign::Bracket,
            None if has(Part::Minus) || has(Part::EitherSign) => FloatingSign::None,
            None => FloatingSign::Default,
        };
        Layout {
            t,
            pre,
            whole: whole.chars().collect(),
            fraction: fraction.chars().collect(),
            negative,
            sign,
            out: String::new(),
            started: false,
        }
    }

    fn blank(&mut self) {
        if !self.t.fill {
            self.out.push(' ');
        }
    }

    /// The sign goes before the first thing shown.
    fn start(&mut self) {
        if self.started {
            return;
        }
        self.started = true;
        match (self.sign, self.negative) {
            (FloatingSign::None, _) => {}
            (FloatingSign::Bracket, true) => self.out.push('<'),
            (_, true) => self.out.push('-'),
            (FloatingSign::Always, false) => self.out.push('+'),
            (_, false) => self.blank(),
        }
    }

    fn run(mut self) -> String {
        let parts = &self.t.parts;
        let zero_from = parts
            .iter()
            .filter(|p| matches!(p, Part::Digit(_)))
            .position(|p| *p == Part::Digit(true));
        let (fraction_parts, kept) = self.fraction();
        let (mut place, mut decimal, mut after_point) = (0, 0, false);
        let parts = parts.clone();
        for part in &parts {
            match part {
                Part::Digit(_) if after_point => {
                    if decimal < kept {
                        let d = self.fraction.get(decimal).copied().unwrap_or('0');
                        self.out.push(d);
                    }
                    decimal += 1;
                }
                Part::Digit(_) => {
                    self.whole_digit(place, zero_from, fraction_parts == 0);
                    place += 1;
                }
                Part::Point => {
                    self.start();
                    self.out.push('.');
                    after_point = true;
                }
                Part::Group if self.started => self.out.push(','),
                Part::Group => self.blank(),
                Part::Minus if self.negative => self.out.push('-'),
                Part::Plus if !self.negative => self.out.push('+'),
                Part::Minus | Part::Plus | Part::Currency => self.blank(),
                Part::EitherSign => self.out.push(if self.negative { '-' } else { '+' }),
                Part::Sign if self.sign == FloatingSign::None => {
                    self.out.push(if self.negative { '-' } else { '+' });
                }
                Part::Sign | Part::Brackets => {}
                Part::Ordinal(upper) if !self.negative => {
                    let suffix = super::date::ordinal(&self.whole.iter().collect::<String>());
                    self.out.push_str(&if *upper {
                        suffix.to_ascii_uppercase()
                    } else {
                        suffix.to_string()
                    });
                }
                Part::Ordinal(_) => {}
                Part::Literal(c) => self.out.push(*c),
            }
        }
        if self.sign == FloatingSign::Bracket {
            if self.negative {
                self.out.push('>');
            } else {
                self.blank();
            }
        }
        self.out
    }

    /// How many digits the template has behind the point, and how many of them are shown: under FM
    /// they end at the last that counts, or at the last `0` of the template.
    fn fraction(&self) -> (usize, usize) {
        let behind = self.t.parts.iter().skip_while(|p| **p != Part::Point);
        let digits: Vec<bool> = behind
            .filter_map(|p| match p {
                Part::Digit(zero) => Some(*zero),
                _ => None,
            })
            .collect();
        if !self.t.fill {
            return (digits.len(), digits.len());
        }
        let significant = self
            .fraction
            .iter()
            .rposition(|d| *d != '0')
            .map_or(0, |i| i + 1);
        let forced = digits.iter().rposition(|z| *z).map_or(0, |i| i + 1);
        (digits.len(), significant.max(forced))
    }

    fn whole_digit(&mut self, place: usize, zero_from: Option<usize>, no_fraction: bool) {
        let lead = self.pre - self.whole.len();
        if place >= lead {
            self.start();
            self.out.push(self.whole[place - lead]);
        } else if zero_from.is_some_and(|z| place >= z)
            || (no_fraction && self.whole.is_empty() && place + 1 == self.pre)
        {
            self.start();
            self.out.push('0');
        } else {
            self.blank();
        }
    }
}

fn exponential(value: &Numeric, post: usize) -> String {
    let v = value.to_f64();
    let text = format!("{:.*e}", post, v.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if v < 0.0 { '-' } else { ' ' };
    let e = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{mantissa}e{e}{:02}", exponent.unsigned_abs())
}

/// Roman numerals of 1 to 3999, right-aligned to 15 columns.
fn roman(value: &Numeric, upper: bool, fill: bool) -> String {
    let n = value.to_i64().filter(|n| (1..=3999).contains(n));
    let mut text = match n {
        Some(n) => roman_digits(n as u32),
        None => "#".repeat(15),
    };
    if !upper {
        text.make_ascii_lowercase();
    }
    if fill { text } else { format!("{text:>15}") }
}

pub(super) fn roman_digits(mut n: u32) -> String {
    const STEPS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut out = String::new();
    for (size, letters) in STEPS {
        while n >= size {
            out.push_str(letters);
            n -= size;
        }
    }
    out
}
