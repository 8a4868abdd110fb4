//! COPY FROM: [`Reader`] makes rows of a client's chunks, [`CopyFrom`] inserts
//! them many at a time.

use super::{Fields, Format, binary, csv, damaged, text};
use crate::env::Env;
use crate::op::Builder;
use crate::op::modify::{RowChange, RowInserter};
use crate::utility::with_env;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_executor_port::{CopyIn, ExecContext};
use pg_plan::{Copy, CopyHeader, CopySource};
use pg_types::{Datum, Oid, SqlError, SqlResult};

/// Bytes of data that are worth a call: many clients send a row at a time.
const ENOUGH: usize = 64 * 1024;
/// Longest value shown in an error's context.
const SHOWN: usize = 100;

/// A column that the client sends.
struct Column {
    name: String,
    type_oid: Oid,
    typmod: i32,
}

/// COPY FROM.
pub struct CopyFrom {
    reader: Reader,
    inserter: RowInserter,
    rows: u64,
    /// The row taken last, and its line.
    row: Vec<Datum>,
    last: u64,
}

/// Takes the data apart.
struct Reader {
    table: String,
    format: Format,
    columns: Vec<Column>,
    never_null: Vec<bool>,
    always_null: Vec<bool>,
    /// What has not been read yet.
    pending: Vec<u8>,
    line: u64,
    /// The end mark has been read: the rest is ignored.
    ended: bool,
    fields: Fields,
}

impl CopyFrom {
    /// Compiles a COPY FROM.
    ///
    /// # Errors
    /// As [`Format::new`] and compiling the insert.
    pub fn new(copy: &Copy) -> SqlResult<Self> {
        let CopySource::From {
            relation,
            columns,
            insert,
        } = &copy.source
        else {
            return Err(SqlError::internal("not a COPY FROM"));
        };
        let column = |at: &usize| {
            let attr = relation.desc.attrs().get(*at);
            let attr =
                attr.ok_or_else(|| SqlError::internal("COPY names a column that is not there"))?;
            Ok(Column {
                name: String::from(&*attr.name),
                type_oid: attr.type_oid,
                typmod: attr.typmod,
            })
        };
        let columns = columns.iter().map(column).collect::<SqlResult<Vec<_>>>()?;
        let named = |names: &[String]| -> Vec<bool> {
            columns
                .iter()
                .map(|c| names.iter().any(|n| *n == c.name || n == "*"))
                .collect()
        };
        let reader = Reader {
            table: relation.name.clone(),
            format: Format::new(&copy.options)?,
            never_null: named(&copy.options.force_not_null),
            always_null: named(&copy.options.force_null),
            columns,
            pending: Vec::new(),
            line: 0,
            ended: false,
            fields: Fields::default(),
        };
        let inserter = RowInserter::compile(&insert.node, &mut Builder::default())?;
        Ok(CopyFrom {
            reader,
            inserter,
            rows: 0,
            row: Vec::new(),
            last: 0,
        })
    }

    /// Reads and inserts what is complete; at the end also a last line without
    /// its line end.
    ///
    /// # Errors
    /// As [`CopyIn::feed`].
    pub fn advance(&mut self, at_end: bool, env: &mut Env<'_>) -> SqlResult<()> {
        let mut from = 0;
        while let Some((end, next)) = self.reader.next_line(from, at_end) {
            env.tick()?;
            let line = from..end;
            from = next;
            self.reader.line += 1;
            if self.reader.take(line, env, &mut self.row)? {
                self.last = self.reader.line;
                let result = self.inserter.queue(&self.row, env);
                result.map_err(|e| self.stored_line(e))?;
                self.rows += 1;
            }
        }
        self.reader.pending.drain(..from);
        if !at_end {
            return Ok(());
        }
        let result = self.inserter.flush(env);
        result.map_err(|e| self.stored_line(e))
    }

    /// Names the line of the row that could not be stored: rows are stored many
    /// at a time, and lines with rows follow each other.
    fn stored_line(&self, error: SqlError) -> SqlError {
        let line = self.last.saturating_sub(self.inserter.behind() as u64);
        error.with_context(format!("COPY {}, line {line}", self.reader.table))
    }

    /// Rows inserted so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Reader {
    /// The next line: the place behind its last byte and where the one after it
    /// begins.
    fn next_line(&mut self, from: usize, at_end: bool) -> Option<(usize, usize)> {
        if self.ended {
            return None;
        }
        if self.format.binary {
            let end = binary::record_end(&self.pending, from, self.line == 0)?;
            return Some((end, end));
        }
        if !self.format.csv {
            let (format, fields) = (&self.format, &mut self.fields);
            return text::scan(&self.pending, from, at_end, format, fields);
        }
        let complete = csv::line_end(&self.pending, from, &self.format);
        let len = self.pending.len();
        complete.or_else(|| (at_end && from < len).then_some((len, len)))
    }

    /// Makes a row of a line; false when it is none (the header, the end mark).
    fn take(
        &mut self,
        line: core::ops::Range<usize>,
        env: &Env<'_>,
        row: &mut Vec<Datum>,
    ) -> SqlResult<bool> {
        if self.format.binary {
            return self.take_binary(line, row);
        }
        let bytes = self.pending.get(line).unwrap_or_default();
        if bytes == b"\\." {
            self.ended = true;
            return Ok(false);
        }
        if self.format.csv {
            csv::split(
                bytes,
                &self.format,
                &self.never_null,
                &self.always_null,
                &mut self.fields,
            )
            .map_err(|e| self.at_line(e))?;
        } else if bytes.is_empty() && self.columns.is_empty() {
            self.fields.clear();
        }
        if self.line == 1 && self.format.header != CopyHeader::No {
            self.check_header()?;
            return Ok(false);
        }
        self.check_count()?;
        row.clear();
        for (at, column) in self.columns.iter().enumerate() {
            row.push(self.value(at, column, env)?);
        }
        Ok(true)
    }

    /// The same for the binary format, whose first record is the header.
    fn take_binary(
        &mut self,
        range: core::ops::Range<usize>,
        row: &mut Vec<Datum>,
    ) -> SqlResult<bool> {
        let bytes = self.pending.get(range).unwrap_or_default();
        if self.line == 1 {
            binary::check_header(bytes)?;
            return Ok(false);
        }
        let columns = &self.columns;
        let value = |at: usize, bytes: &[u8]| {
            let column: &Column = &columns[at];
            pg_types::wire::receive(column.type_oid, column.typmod, bytes)
        };
        let found = binary::read(bytes, columns.len(), row, value).map_err(|e| self.at_line(e))?;
        self.ended |= !found;
        Ok(found)
    }

    /// Nothing is missing at the end.
    fn check_end(&self) -> SqlResult<()> {
        if self.format.binary && !self.ended {
            return Err(self.at_line(damaged("unexpected EOF in COPY data")));
        }
        Ok(())
    }

    fn value(&self, at: usize, column: &Column, env: &Env<'_>) -> SqlResult<Datum> {
        let value = self
            .fields
            .get(at, &self.pending)
            .map_err(|e| self.at_line(e))?;
        let Some(value) = value else {
            return Ok(Datum::Null);
        };
        pg_builtins::input_value(column.type_oid, column.typmod, value, env.session).map_err(|e| {
            let shown: String = value.chars().take(SHOWN).collect();
            let place = format!(
                "COPY {}, line {}, column {}: \"{shown}\"",
                self.table, self.line, column.name
            );
            e.with_context(place)
        })
    }

    fn check_count(&self) -> SqlResult<()> {
        if let Some(column) = self.columns.get(self.fields.len()) {
            return Err(self.at_line(damaged(format!(
                "missing data for column \"{}\"",
                column.name
            ))));
        }
        if self.fields.len() > self.columns.len() {
            return Err(self.at_line(damaged("extra data after last expected column")));
        }
        Ok(())
    }

    fn check_header(&self) -> SqlResult<()> {
        if self.format.header != CopyHeader::Match {
            return Ok(());
        }
        if self.fields.len() != self.columns.len() {
            let (found, wanted) = (self.fields.len(), self.columns.len());
            return Err(self.at_line(damaged(format!(
                "wrong number of fields in header line: got {found}, expected {wanted}"
            ))));
        }
        for (at, column) in self.columns.iter().enumerate() {
            let name = self.fields.get(at, &self.pending)?.unwrap_or_default();
            if name != column.name {
                return Err(self.at_line(damaged(format!(
                    "column name mismatch in header line field {}: got \"{name}\", expected \"{}\"",
                    at + 1,
                    column.name
                ))));
            }
        }
        Ok(())
    }

    fn at_line(&self, error: SqlError) -> SqlError {
        error.with_context(format!("COPY {}, line {}", self.table, self.line))
    }
}

impl CopyIn for CopyFrom {
    fn push(&mut self, bytes: &[u8]) -> bool {
        if !self.reader.ended {
            self.reader.pending.extend_from_slice(bytes);
        }
        self.reader.pending.len() >= ENOUGH
    }

    fn work(&mut self, ctx: &mut ExecContext<'_>) -> Result<(), SqlError> {
        with_env(ctx, |env| self.advance(false, env))
    }

    fn finish(&mut self, ctx: &mut ExecContext<'_>) -> Result<u64, SqlError> {
        with_env(ctx, |env| {
            self.advance(true, env)?;
            self.reader.check_end()?;
            self.inserter.finish(env)
        })?;
        Ok(self.rows)
    }

    fn columns(&self) -> usize {
        self.reader.columns.len()
    }
}
