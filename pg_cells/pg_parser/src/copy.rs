//! COPY, in both its spellings.

use crate::command::command;
use crate::cursor::Cursor;
use alloc::string::String;
use alloc::vec::Vec;
use pg_parser_port::{Command, CopyCommand, Statement};
use pg_plan::{CopyFormat, CopyHeader, CopyOptions};
use pg_types::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

/// Parses COPY.
pub fn parse(c: &mut Cursor<'_>) -> Result<Option<Statement>, SqlError> {
    if !c.accept("copy") {
        return Ok(None);
    }
    let mut options = CopyOptions::default();
    if c.accept("binary") {
        options.format = CopyFormat::Binary;
    }
    let (mut table, mut query) = (None, None);
    if c.symbol(&Token::LParen) {
        query = Some(crate::statement(c.text, c.balanced()?)?);
    } else {
        table = Some((c.qualified()?, c.columns()?));
    }
    let from = query.is_none() && c.accept("from");
    if !from {
        c.expect("to")?;
    }
    let other_side = if from {
        c.accept("stdin")
    } else {
        c.accept("stdout")
    };
    if !(other_side || c.accept("stdin") || c.accept("stdout")) {
        c.take_rest();
        return Ok(Some(Statement::Unsupported(
            "COPY with a file or program".into(),
        )));
    }
    if c.accept("using") || c.accept("delimiters") {
        c.accept("delimiters");
        options.delimiter = Some(one(&c.string()?, "delimiter")?);
    }
    let with = c.accept("with");
    if c.symbol(&Token::LParen) {
        c.list(|c| option(c, &mut options))?;
        c.expect_symbol(&Token::RParen)?;
    } else {
        legacy(c, &mut options, with)?;
    }
    let mut condition = None;
    if c.accept("where") {
        condition = Some(crate::dialect::parse_with(c.text, c.take_rest(), |p| {
            p.parse_expr()
        })?);
    }
    check(&options)?;
    let copy = CopyCommand {
        table,
        query,
        from,
        condition,
        options,
    };
    Ok(Some(command(Command::Copy(alloc::boxed::Box::new(copy)))))
}

/// A text that must be one single-byte character.
fn one(text: &str, what: &str) -> Result<char, SqlError> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(ch), None) if ch.is_ascii() => Ok(ch),
        _ => Err(SqlError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            alloc::format!("COPY {what} must be a single one-byte character"),
        )),
    }
}

fn boolean(c: &mut Cursor<'_>) -> Result<Option<bool>, SqlError> {
    Ok(match c.peek() {
        Some(Token::Comma | Token::RParen) | None => Some(true),
        Some(Token::Number(..)) => Some(c.integer()? != 0),
        Some(Token::SingleQuotedString(_)) => named(&c.string()?),
        _ => named(&c.name()?),
    })
}

fn named(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "on" | "true" | "1" => Some(true),
        "off" | "false" | "0" => Some(false),
        _ => None,
    }
}

fn wrong(what: &str) -> SqlError {
    SqlError::new(
        SqlState::SYNTAX_ERROR,
        alloc::format!("{what} requires a Boolean value"),
    )
}

fn option(c: &mut Cursor<'_>, o: &mut CopyOptions) -> Result<(), SqlError> {
    let name = c.name()?;
    match name.as_str() {
        "format" => {
            let format = match c.peek() {
                Some(Token::Word(_)) => c.name()?,
                _ => c.string()?,
            };
            o.format = match format.as_str() {
                "text" => CopyFormat::Text,
                "csv" => CopyFormat::Csv,
                "binary" => CopyFormat::Binary,
                _ => {
                    return Err(SqlError::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        alloc::format!("COPY format \"{format}\" not recognized"),
                    ));
                }
            };
        }
        "delimiter" => o.delimiter = Some(one(&c.string()?, "delimiter")?),
        "null" => o.null = Some(c.string()?),
        "header" if c.accept("match") => o.header = CopyHeader::Match,
        "header" => {
            o.header = match boolean(c)?.ok_or_else(|| wrong("header"))? {
                true => CopyHeader::Yes,
                false => CopyHeader::No,
            }
        }
        "quote" => o.quote = Some(one(&c.string()?, "quote")?),
        "escape" => o.escape = Some(one(&c.string()?, "escape")?),
        "force_quote" => o.force_quote = force(c)?,
        "force_not_null" => o.force_not_null = force(c)?,
        "force_null" => o.force_null = force(c)?,
        "freeze" => o.freeze = boolean(c)?.ok_or_else(|| wrong("freeze"))?,
        "encoding" => o.encoding = Some(c.string()?),
        _ => {
            return Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                alloc::format!("option \"{name}\" not recognized"),
            ));
        }
    }
    Ok(())
}

fn force(c: &mut Cursor<'_>) -> Result<Vec<String>, SqlError> {
    if c.symbol(&Token::Mul) {
        return Ok(alloc::vec![String::from("*")]);
    }
    match c.peek() {
        Some(Token::LParen) => c.columns(),
        _ => c.list(Cursor::name),
    }
}

/// The options as they were written before PostgreSQL 9.
fn legacy(c: &mut Cursor<'_>, o: &mut CopyOptions, with: bool) -> Result<(), SqlError> {
    let before = c.rest().len();
    loop {
        if c.accept("binary") {
            o.format = CopyFormat::Binary;
        } else if c.accept("csv") {
            o.format = CopyFormat::Csv;
        } else if c.accept("freeze") {
            o.freeze = true;
        } else if c.accept("header") {
            o.header = CopyHeader::Yes;
        } else if c.accept("delimiter") {
            c.accept("as");
            o.delimiter = Some(one(&c.string()?, "delimiter")?);
        } else if c.accept("null") {
            c.accept("as");
            o.null = Some(c.string()?);
        } else if c.accept("quote") {
            c.accept("as");
            o.quote = Some(one(&c.string()?, "quote")?);
        } else if c.accept("escape") {
            c.accept("as");
            o.escape = Some(one(&c.string()?, "escape")?);
        } else if c.accept("force quote") {
            o.force_quote = force(c)?;
        } else if c.accept("force not null") {
            o.force_not_null = force(c)?;
        } else if c.accept("force null") {
            o.force_null = force(c)?;
        } else if c.accept("encoding") {
            o.encoding = Some(c.string()?);
        } else {
            break;
        }
    }
    if with && c.rest().len() == before {
        return Err(c.error());
    }
    Ok(())
}

/// Combinations that make no sense.
fn check(o: &CopyOptions) -> Result<(), SqlError> {
    let csv = o.format == CopyFormat::Csv;
    let refused = |what: &str| {
        Err(SqlError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            alloc::format!("COPY {what} available only in CSV mode"),
        ))
    };
    if !csv && o.quote.is_some() {
        return refused("quote");
    }
    if !csv && o.escape.is_some() {
        return refused("escape");
    }
    if !csv && !o.force_quote.is_empty() {
        return refused("force quote");
    }
    if o.format == CopyFormat::Binary
        && (o.delimiter.is_some() || o.null.is_some() || o.header != CopyHeader::No)
    {
        return Err(SqlError::new(
            SqlState::SYNTAX_ERROR,
            "cannot specify DELIMITER, NULL or HEADER in BINARY mode",
        ));
    }
    Ok(())
}
