//! COPY: [`input`] takes a client's data apart and inserts the rows, [`output`]
//! writes a query's rows. The formats are in [`text`], [`csv`] and [`binary`],
//! their options in [`Format`].

pub mod binary;
pub mod csv;
pub mod input;
pub mod output;
pub mod text;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_plan::{CopyFormat, CopyHeader, CopyOptions};
use pg_types::{SqlError, SqlResult, SqlState};

/// The options of a copy, with their defaults filled in.
#[derive(Clone, Debug)]
pub struct Format {
    /// Binary; the other fields then mean nothing.
    pub binary: bool,
    /// CSV rather than text.
    pub csv: bool,
    /// Between the values.
    pub delimiter: u8,
    /// What stands for NULL.
    pub null: String,
    /// CSV's quote.
    pub quote: u8,
    /// What makes a quote inside quotes literal.
    pub escape: u8,
    /// The header line.
    pub header: CopyHeader,
}

impl Format {
    /// Checks the options.
    ///
    /// # Errors
    /// 0A000 for strange encodings, 22023 and 42601 for
    /// senseless options.
    pub fn new(options: &CopyOptions) -> SqlResult<Self> {
        let csv = options.format == CopyFormat::Csv;
        let binary = options.format == CopyFormat::Binary;
        if binary && options.header != CopyHeader::No {
            return Err(SqlError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot specify HEADER in BINARY mode",
            ));
        }
        if options.encoding.as_deref().is_some_and(|e| !is_utf8(e)) {
            return Err(SqlError::unsupported("COPY in another encoding than UTF8"));
        }
        if !csv && (options.quote.is_some() || options.escape.is_some()) {
            return Err(SqlError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "COPY quote and escape available only in CSV mode",
            ));
        }
        let delimiter = single(
            options.delimiter.unwrap_or(if csv { ',' } else { '\t' }),
            "delimiter",
        )?;
        let quote = single(options.quote.unwrap_or('"'), "quote")?;
        let escape = single(options.escape.unwrap_or(quote as char), "escape")?;
        let null = options
            .null
            .clone()
            .unwrap_or_else(|| if csv { "" } else { "\\N" }.to_string());
        if matches!(delimiter, b'\n' | b'\r') {
            return Err(invalid(
                "COPY delimiter cannot be newline or carriage return",
            ));
        }
        if null.contains(['\n', '\r']) {
            return Err(invalid(
                "COPY null representation cannot use newline or carriage return",
            ));
        }
        if csv && delimiter == quote {
            return Err(invalid("COPY delimiter and quote must be different"));
        }
        if !csv && matches!(delimiter, b'\\' | b'.' | b'a'..=b'z' | b'0'..=b'9') {
            return Err(invalid(&alloc::format!(
                "COPY delimiter cannot be \"{}\"",
                delimiter as char
            )));
        }
        if null.as_bytes().contains(&delimiter) {
            return Err(invalid(
                "COPY delimiter character must not appear in the NULL specification",
            ));
        }
        Ok(Format {
            binary,
            csv,
            delimiter,
            null,
            quote,
            escape,
            header: options.header,
        })
    }
}

fn is_utf8(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    ["utf8", "unicode", "sqlascii"]
        .iter()
        .any(|n| plain.eq_ignore_ascii_case(n))
}

fn single(c: char, what: &str) -> SqlResult<u8> {
    u8::try_from(c).ok().filter(u8::is_ascii).ok_or_else(|| {
        invalid(&alloc::format!(
            "COPY {what} must be a single one-byte character"
        ))
    })
}

fn invalid(message: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// 22P04.
pub fn damaged(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

/// The values of a line, as text; `None` is NULL. Reused from line to line.
///
/// A value that stands in the data as it is meant is not copied: it is kept as a
/// place there.
#[derive(Default, Debug)]
pub struct Fields {
    /// Values that had to be made of what stands in the data.
    bytes: Vec<u8>,
    /// Where the value that is being made begins in `bytes`.
    begun: usize,
    values: Vec<Value>,
}

#[derive(Clone, Copy, Debug)]
enum Value {
    Null,
    /// From here to there in `bytes`.
    Made(usize, usize),
    /// From here to there in the data.
    Found(usize, usize),
}

impl Fields {
    /// Forgets all values.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.begun = 0;
        self.values.clear();
    }

    /// Adds a byte to the value that is being made.
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Ends the value that is being made.
    pub fn end(&mut self, null: bool) {
        let from = core::mem::replace(&mut self.begun, self.bytes.len());
        self.values.push(match null {
            true => Value::Null,
            false => Value::Made(from, self.bytes.len()),
        });
    }

    /// Adds a value that stands in the data as it is.
    pub fn found(&mut self, from: usize, to: usize) {
        self.values.push(Value::Found(from, to));
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Value number `at`, of a line of `data`.
    ///
    /// # Errors
    /// 22021 when it is not UTF-8.
    pub fn get<'a>(&'a self, at: usize, data: &'a [u8]) -> SqlResult<Option<&'a str>> {
        let bytes = match self.values.get(at) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Made(from, to)) => self.bytes.get(*from..*to),
            Some(Value::Found(from, to)) => data.get(*from..*to),
        };
        match core::str::from_utf8(bytes.unwrap_or_default()) {
            Ok(text) if !text.contains('\0') => Ok(Some(text)),
            _ => Err(SqlError::new(
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                "invalid byte sequence for encoding \"UTF8\"",
            )),
        }
    }
}
