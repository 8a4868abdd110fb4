//! COPY TO: a query's rows as lines, or in the binary format.

use super::{Format, binary, csv, text};
use crate::prepare::Running;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use pg_builtins::EvalContext;
use pg_executor_port::{CopyOut, CopySink, ExecContext, Query, RowSink};
use pg_plan::{Copy, CopyHeader, CopySource};
use pg_types::{Datum, Oid, SqlError, SqlResult};

/// COPY TO.
pub struct CopyTo {
    running: Box<Running>,
    format: Format,
    names: Vec<String>,
    types: Vec<Oid>,
    force_quote: Vec<bool>,
}

impl CopyTo {
    /// Compiles a COPY TO.
    ///
    /// # Errors
    /// As [`Format::new`] and compiling the plan.
    pub fn new(copy: &Copy) -> SqlResult<Self> {
        let CopySource::To(plan) = &copy.source else {
            return Err(SqlError::internal("not a COPY TO"));
        };
        let visible = plan.columns.len();
        let force = &copy.options.force_quote;
        let forced = |name: &String| force.iter().any(|f| f == name || f == "*");
        Ok(CopyTo {
            running: Running::compile(plan, false)?,
            format: Format::new(&copy.options)?,
            names: plan.columns.iter().map(|c| c.name.clone()).collect(),
            types: plan
                .columns
                .iter()
                .take(visible)
                .map(|c| c.type_oid)
                .collect(),
            force_quote: plan.columns.iter().map(|c| forced(&c.name)).collect(),
        })
    }
}

/// Writes rows as lines.
pub struct Lines<'a> {
    format: &'a Format,
    types: &'a [Oid],
    force_quote: &'a [bool],
    sink: &'a mut dyn CopySink,
    line: Vec<u8>,
}

impl Lines<'_> {
    fn header(&mut self, names: &[String]) -> SqlResult<()> {
        self.line.clear();
        for (i, name) in names.iter().enumerate() {
            self.value(i, Some(name), names.len() == 1);
        }
        self.end()
    }

    fn value(&mut self, at: usize, value: Option<&str>, only: bool) {
        if at > 0 {
            self.line.push(self.format.delimiter);
        }
        if self.format.csv {
            let force = self.force_quote.get(at).copied().unwrap_or(false);
            csv::write(&mut self.line, value, force, only, self.format);
        } else {
            text::write(&mut self.line, value, self.format);
        }
    }

    fn end(&mut self) -> SqlResult<()> {
        self.line.push(b'\n');
        self.sink.data(&self.line)
    }
}

impl RowSink for Lines<'_> {
    fn row(&mut self, row: &[Datum], session: &dyn EvalContext) -> Result<(), SqlError> {
        self.line.clear();
        if self.format.binary {
            binary::write(&mut self.line, row, self.types)?;
            return self.sink.data(&self.line);
        }
        for (at, value) in row.iter().enumerate() {
            let type_oid = self
                .types
                .get(at)
                .copied()
                .unwrap_or_else(|| value.natural_type());
            let text = pg_builtins::output_text(value, type_oid, session)?;
            self.value(at, text.as_deref(), row.len() == 1);
        }
        self.end()
    }
}

impl CopyOut for CopyTo {
    fn run(&mut self, ctx: &mut ExecContext<'_>, sink: &mut dyn CopySink) -> Result<u64, SqlError> {
        let mut lines = Lines {
            format: &self.format,
            types: &self.types,
            force_quote: &self.force_quote,
            sink,
            line: Vec::new(),
        };
        if self.format.binary {
            binary::write_header(&mut lines.line);
            lines.sink.data(&lines.line)?;
        }
        if self.format.header != CopyHeader::No {
            lines.header(&self.names)?;
        }
        let progress = self.running.next_batch(ctx, 0, &mut lines)?;
        if self.format.binary {
            lines.line.clear();
            binary::write_end(&mut lines.line);
            lines.sink.data(&lines.line)?;
        }
        Ok(progress.rows)
    }

    fn columns(&self) -> usize {
        self.types.len()
    }
}
