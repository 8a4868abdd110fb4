//! `check FILE [--json]`: looks for damage on a disk file, which is only read.
//! The exit code is 0 when nothing is damaged.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser};
use pg_check_port::{Place, Report, Severity};
use serde_json::{Value, json};

use crate::database::Database;
use crate::device::{Device, DiskFile, Layer};

/// Runs the command.
///
/// # Errors
/// When the arguments are wrong, or the file cannot be opened.
pub fn command(parser: &mut Parser) -> Result<ExitCode> {
    let (mut file, mut as_json) = (None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("json") => as_json = true,
            Arg::Value(path) if file.is_none() => file = Some(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    let Some(path) = file else {
        bail!("usage: check FILE [--json]");
    };
    let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let report = check(Device::new(Layer::over(Arc::new(DiskFile(file)))));
    match as_json {
        true => println!("{}", serde_json::to_string_pretty(&to_json(&report))?),
        false => print!("{report}"),
    }
    Ok(match report.is_sound() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Opens a disk and looks at everything.
#[must_use]
pub fn check(device: Device) -> Report {
    Database::open(device).check()
}

/// A report for machines.
#[must_use]
pub fn to_json(report: &Report) -> Value {
    let findings = report.findings.iter().map(|f| {
        let page = match f.place {
            Place::Page(page) | Place::Item(page, _) => {
                json!({ "relation": page.file.relation(), "fork": page.file.0 & 3, "block": page.block })
            }
            _ => Value::Null,
        };
        json!({
            "severity": match f.severity { Severity::Note => "note", Severity::Damage => "damage" },
            "place": f.place.to_string(),
            "page": page,
            "what": f.what.to_string(),
            "relation": f.name,
            "detail": f.detail,
        })
    });
    json!({
        "sound": report.is_sound(),
        "log_records": report.looked.records,
        "pages": report.looked.pages,
        "row_versions": report.looked.rows,
        "index_entries": report.looked.entries,
        "relations": report.looked.relations,
        "findings": findings.collect::<Vec<_>>(),
        "more": report.more,
    })
}
