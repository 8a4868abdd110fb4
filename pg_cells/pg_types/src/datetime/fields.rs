//! From tokens to date fields: which number is the day, which word the month.

use super::lex::{Token, tokens};
use super::parse::Trouble;
use super::zone::{TimeZone, abbreviation_offset, parse_offset};
use crate::settings::{DateOrder, FormatSettings};
use alloc::vec::Vec;

/// Words that stand for a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    Infinity,
    NegInfinity,
    Epoch,
    Now,
    Today,
    Tomorrow,
    Yesterday,
}

/// What a text says.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub year: Option<i32>,
    pub month: Option<u32>,
    pub day: Option<u32>,
    pub day_of_year: Option<u32>,
    pub julian: Option<i64>,
    /// Hour, minute, second, microseconds.
    pub time: Option<(u32, u32, u32, u32)>,
    pub pm: Option<bool>,
    pub bc: bool,
    /// Seconds east of Greenwich.
    pub offset: Option<i32>,
    /// A zone that was named in full.
    pub zone: Option<TimeZone>,
    pub special: Option<Special>,
    /// The year was written with two digits or fewer.
    short_year: bool,
}

type Outcome<T> = Result<T, Trouble>;

/// Reads a text's fields.
pub(super) fn read(text: &str, settings: &FormatSettings) -> Outcome<Fields> {
    read_as(text, settings, false)
}

/// The same for a time of day: digits run together are a time.
pub(super) fn read_time(text: &str, settings: &FormatSettings) -> Outcome<Fields> {
    read_as(text, settings, true)
}

fn read_as(text: &str, settings: &FormatSettings, time_only: bool) -> Outcome<Fields> {
    let tokens = tokens(text).ok_or(Trouble::Syntax)?;
    if tokens.is_empty() {
        return Err(Trouble::Syntax);
    }
    let mut f = Fields::default();
    // Numbers that stand alone, until it is known what they are.
    let mut loose: Vec<(&str, bool)> = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        match &tokens[i] {
            Token::Date(body) => f.date(body, settings.date_order)?,
            Token::Time(body) => f.clock(body)?,
            Token::Number(body) => {
                let after_t = time_only || (i > 0 && tokens[i - 1] == Token::Word("t".into()));
                if !f.packed(body, after_t)? {
                    loose.push((body, f.month.is_some()));
                }
            }
            Token::Word(word) => {
                if word == "j" || word == "jd" {
                    let Some(Token::Number(n)) = tokens.get(i + 1) else {
                        return Err(Trouble::Syntax);
                    };
                    f.julian = Some(n.parse().map_err(|_| Trouble::Syntax)?);
                    i += 1;
                } else {
                    f.word(word)?;
                }
            }
            Token::Signed(body) => f.signed(body)?,
            Token::SignedWord(negative, word) if word == "infinity" || word == "inf" => {
                f.set_special(if *negative {
                    Special::NegInfinity
                } else {
                    Special::Infinity
                })?;
            }
            Token::ZoneName(name) => {
                f.zone = Some(TimeZone::from_name(name).ok_or(Trouble::Zone)?);
            }
            Token::SignedWord(..) => return Err(Trouble::Syntax),
        }
        i += 1;
    }
    f.place(&loose, settings.date_order)?;
    f.complete_year();
    Ok(f)
}

fn month_of(word: &str) -> Option<u32> {
    let names = super::MONTHS;
    let hit = names.iter().position(|n| {
        n.eq_ignore_ascii_case(word)
            || n[..3].eq_ignore_ascii_case(word)
            || (word == "sept" && *n == "September")
    })?;
    Some(hit as u32 + 1)
}

fn is_weekday(word: &str) -> bool {
    super::WEEKDAYS
        .iter()
        .any(|n| n.eq_ignore_ascii_case(word) || n[..3].eq_ignore_ascii_case(word))
        || matches!(word, "tues" | "wednes" | "weds" | "thur" | "thurs")
}

fn number<T: core::str::FromStr>(text: &str) -> Outcome<T> {
    text.parse().map_err(|_| Trouble::Field)
}

/// `06.789` as seconds and microseconds.
pub(super) fn seconds(text: &str) -> Outcome<(u32, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Trouble::Syntax);
    }
    let whole: u32 = if whole.is_empty() { 0 } else { number(whole)? };
    if fraction.is_empty() {
        return Ok((whole, 0));
    }
    let value: f64 = alloc::format!("0.{fraction}")
        .parse()
        .map_err(|_| Trouble::Syntax)?;
    let micros = libm::rint(value * 1e6) as u32;
    Ok((whole + micros / 1_000_000, micros % 1_000_000))
}

impl Fields {
    fn set_special(&mut self, special: Special) -> Outcome<()> {
        if self.special.replace(special).is_some() || self.year.is_some() {
            return Err(Trouble::Syntax);
        }
        Ok(())
    }

    fn set_year(&mut self, text: &str) -> Outcome<()> {
        if self.year.is_some() {
            return Err(Trouble::Syntax);
        }
        self.short_year = text.len() <= 2;
        self.year = Some(number(text)?);
        Ok(())
    }

    /// Years of two digits are near 2000, unless they are BC.
    fn complete_year(&mut self) {
        if let (Some(year), true, false) = (self.year, self.short_year, self.bc) {
            self.year = Some(match year {
                0..70 => year + 2000,
                70..100 => year + 1900,
                _ => year,
            });
        }
    }

    /// `2026-01-31`, `31/1/26`, `31-jan-2026`, `2026-031`.
    fn date(&mut self, body: &str, order: DateOrder) -> Outcome<()> {
        if self.year.is_some() || self.special.is_some() {
            return Err(Trouble::Syntax);
        }
        let delimiter = body.find(['-', '/', '.']).ok_or(Trouble::Syntax)?;
        let parts: Vec<&str> = body.split(&body[delimiter..=delimiter]).collect();
        if parts.iter().any(|p| p.is_empty()) {
            return Err(Trouble::Syntax);
        }
        if let [year, of_year] = parts[..]
            && year.len() >= 4
            && of_year.len() == 3
        {
            self.day_of_year = Some(number(of_year)?);
            return self.set_year(year);
        }
        let [a, b, c] = parts[..] else {
            return Err(Trouble::Syntax);
        };
        if let Some(at) = [a, b, c]
            .iter()
            .position(|p| p.bytes().any(|x| x.is_ascii_alphabetic()))
        {
            self.month = Some(month_of([a, b, c][at]).ok_or(Trouble::Syntax)?);
            let (x, y) = match at {
                0 => (b, c),
                1 => (a, c),
                _ => (a, b),
            };
            return if x.len() >= 3 || order == DateOrder::Ymd {
                self.day = Some(number(y)?);
                self.set_year(x)
            } else {
                self.day = Some(number(x)?);
                self.set_year(y)
            };
        }
        let (year, month, day) = match order {
            _ if a.len() >= 3 => (a, b, c),
            DateOrder::Ymd => (a, b, c),
            DateOrder::Mdy => (c, a, b),
            DateOrder::Dmy => (c, b, a),
        };
        // With dots, the German order holds whatever the setting says.
        let (month, day) = match &body[delimiter..=delimiter] {
            "." if a.len() < 3 && order == DateOrder::Mdy && number::<u32>(month)? > 12 => {
                (day, month)
            }
            _ => (month, day),
        };
        self.month = Some(number(month)?);
        self.day = Some(number(day)?);
        self.set_year(year)
    }

    /// `04:05`, `04:05:06.789`.
    fn clock(&mut self, body: &str) -> Outcome<()> {
        if self.time.is_some() {
            return Err(Trouble::Syntax);
        }
        let parts: Vec<&str> = body.split(':').collect();
        let time = match parts[..] {
            [h, m] if m.contains('.') => {
                let (s, micros) = seconds(m)?;
                (0, number(h)?, s, micros)
            }
            [h, m] => (number(h)?, number(m)?, 0, 0),
            [h, m, s] => {
                let (s, micros) = seconds(s)?;
                (number(h)?, number(m)?, s, micros)
            }
            _ => return Err(Trouble::Syntax),
        };
        self.time = Some(time);
        Ok(())
    }

    /// Digits run together: `20260131`, `260131`, `T040506`. False when it is none of them.
    fn packed(&mut self, body: &str, after_t: bool) -> Outcome<bool> {
        let whole = body.split('.').next().unwrap_or(body);
        let has_date = self.year.is_some() || self.julian.is_some();
        if (has_date || after_t) && self.time.is_none() && matches!(whole.len(), 2 | 4 | 6) {
            if whole.len() == 2 && !after_t {
                return Ok(false);
            }
            let part = |r: core::ops::Range<usize>| whole.get(r).map_or(Ok(0), number);
            let (s, micros) = if whole.len() == 6 {
                seconds(&body[4..])?
            } else {
                (0, 0)
            };
            self.time = Some((
                part(0..2)?,
                if whole.len() > 2 { part(2..4)? } else { 0 },
                s,
                micros,
            ));
            return Ok(true);
        }
        if !has_date && !body.contains('.') && self.month.is_none() {
            match whole.len() {
                6 => {
                    self.month = Some(number(&whole[2..4])?);
                    self.day = Some(number(&whole[4..])?);
                    self.set_year(&whole[..2])?;
                    return Ok(true);
                }
                8.. => {
                    let at = whole.len() - 4;
                    self.month = Some(number(&whole[at..at + 2])?);
                    self.day = Some(number(&whole[at + 2..])?);
                    self.set_year(&whole[..at])?;
                    return Ok(true);
                }
                7 => {
                    self.day_of_year = Some(number(&whole[4..])?);
                    self.set_year(&whole[..4])?;
                    return Ok(true);
                }
                _ => {}
            }
        }
        if !has_date && body.contains('.') && whole.len() == 4 {
            // `2026.031`: the day of the year.
            let (_, day) = body.split_once('.').ok_or(Trouble::Syntax)?;
            if day.len() == 3 {
                self.day_of_year = Some(number(day)?);
                self.set_year(whole)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn word(&mut self, word: &str) -> Outcome<()> {
        if let Some(month) = month_of(word) {
            if self.month.replace(month).is_some() {
                return Err(Trouble::Syntax);
            }
            return Ok(());
        }
        match word {
            "infinity" | "inf" => return self.set_special(Special::Infinity),
            "epoch" => return self.set_special(Special::Epoch),
            "now" => return self.set_special(Special::Now),
            "today" => return self.set_special(Special::Today),
            "tomorrow" => return self.set_special(Special::Tomorrow),
            "yesterday" => return self.set_special(Special::Yesterday),
            "allballs" => {
                self.time = Some((0, 0, 0, 0));
                self.offset = Some(0);
            }
            "am" => self.pm = Some(false),
            "pm" => self.pm = Some(true),
            "bc" => self.bc = true,
            "ad" | "at" | "on" | "t" | "d" | "m" | "y" => {}
            _ if is_weekday(word) => {}
            _ => match abbreviation_offset(word) {
                Some(offset) if self.offset.is_none() => self.offset = Some(offset),
                _ => {
                    return Err(Trouble::Syntax);
                }
            },
        }
        Ok(())
    }

    /// `+02`, `-03:30`; after `UTC` it counts from there.
    fn signed(&mut self, body: &str) -> Outcome<()> {
        if self.time.is_none() && self.special.is_none() {
            return Err(Trouble::Syntax);
        }
        let offset = parse_offset(body).ok_or(Trouble::Offset)?;
        self.offset = Some(match self.offset {
            // POSIX: `UTC+3` lies west of Greenwich.
            Some(base) => base - offset,
            None => offset,
        });
        Ok(())
    }

    /// Gives the numbers that stood alone to the fields still missing.
    fn place(&mut self, loose: &[(&str, bool)], order: DateOrder) -> Outcome<()> {
        for (text, _) in loose {
            if text.contains('.') {
                return Err(Trouble::Syntax);
            }
            let digits = text.len();
            match () {
                _ if digits >= 3 && self.year.is_none() => self.set_year(text)?,
                _ if self.month.is_some() && self.day.is_none() => self.day = Some(number(text)?),
                _ if self.month.is_some() && self.year.is_none() => self.set_year(text)?,
                _ if self.month.is_none() && order != DateOrder::Dmy => {
                    self.month = Some(number(text)?)
                }
                _ if self.day.is_none() => self.day = Some(number(text)?),
                _ if self.month.is_none() => self.month = Some(number(text)?),
                _ => return Err(Trouble::Syntax),
            }
        }
        Ok(())
    }
}
