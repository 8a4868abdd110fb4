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
#[derive(Default, Debug)]
pub struct Fields {
    bytes: Vec<u8>,
    ends: Vec<(usize, bool)>,
}

impl Fields {
    /// Forgets all values.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds a byte to the value that is being read.
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Ends the value that is being read.
    pub fn end(&mut self, null: bool) {
        self.ends.push((self.bytes.len(), null));
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Value number `at`.
    ///
    /// # Errors
    /// 22021 when it is not UTF-8.
    pub fn get(&self, at: usize) -> SqlResult<Option<&str>> {
        let Some(&(end, null)) = self.ends.get(at) else {
            return Ok(None);
        };
        if null {
            return Ok(None);
        }
        let start = if at == 0 { 0 } else { self.ends[at - 1].0 };
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        match core::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok(Some(text)),
            _ => Err(SqlError::new(
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                "invalid byte sequence for encoding \"UTF8\"",
            )),
        }
    }
}
