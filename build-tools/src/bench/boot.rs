//! Power-on to ready, the size of the image, memory at rest.

use anyhow::{Context, Result};

use super::Wishes;
use super::guest::{Disk, Guest};
use super::report::Row;
use crate::paths::Paths;

const KIB: f64 = 1024.0;

pub(super) fn measure(paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let mut rows = vec![first_boot(paths)?];
    rows.extend(boots(paths, wishes)?);
    rows.extend(sizes(paths)?);
    Ok(rows)
}

/// On an empty disk, which is formatted.
fn first_boot(paths: &Paths) -> Result<Row> {
    let mut guest = Guest::start(paths, Disk::empty(paths)?, |_| {})?;
    let (took, _) = guest.ready()?;
    Ok(Row::one(
        "power-on to ready, empty disk",
        took.as_secs_f64() * 1e3,
        "ms",
    ))
}

/// After a clean stop. Wall time goes from the start of QEMU; the system's own
/// clock starts with the machine's.
fn boots(paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let mut disk = Guest::boot(paths, Disk::empty(paths)?, |_| {})?.stop()?;
    let (mut wall, mut own, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..wishes.repeat {
        let mut guest = Guest::start(paths, disk, |_| {})?;
        let (took, line) = guest.ready()?;
        wall.push(took.as_secs_f64() * 1e3);
        let ms = line.split_whitespace().rev().nth(1);
        own.extend(ms.and_then(|ms| ms.parse::<f64>().ok()));
        if round + 1 == wishes.repeat {
            rest = memory(&guest.shell("mem")?)?;
        }
        disk = guest.stop()?;
    }
    let mut rows = vec![
        Row::median("power-on to ready", wall, "ms"),
        Row::median("power-on to ready, the system's clock", own, "ms"),
    ];
    rows.extend(rest);
    Ok(rows)
}

/// What `mem` says, as rows.
fn memory(answer: &str) -> Result<Vec<Row>> {
    let kib = |what: &str| {
        let line = answer.lines().find(|line| line.trim().starts_with(what));
        let word = line.and_then(|line| line.split_whitespace().rev().nth(1));
        word.and_then(|word| word.parse::<f64>().ok())
            .with_context(|| format!("`mem` does not say `{what}`"))
    };
    let row = |name: &str, what: &str| anyhow::Ok(Row::one(name, kib(what)? / KIB, "MiB"));
    Ok(vec![
        row("memory at rest, in use", "in use")?.note("buffer pool of the usual size included"),
        row(
            "memory at rest, beside the buffer pool",
            "in use but for pools",
        )?,
        row("memory at rest, heap objects", "heap objects")?,
        row("memory at rest, cells and stacks", "cells and stacks")?,
    ])
}

fn sizes(paths: &Paths) -> Result<Vec<Row>> {
    let size = |path| -> Result<f64> { Ok(std::fs::metadata(path)?.len() as f64 / KIB) };
    let (core, archive) = (size(paths.nano_core())?, size(paths.archive())?);
    Ok(vec![
        Row::one("image size", (core + archive) / KIB, "MiB"),
        Row::one("image size, nano_core.elf", core, "KiB"),
        Row::one("image size, mitos.img", archive, "KiB"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mem_is_read() {
        let answer = "usable      1048000 KiB\nin use      2048 KiB\nin use but for pools 1024 KiB\n  heap objects   512 KiB\n  cells and stacks  1024 KiB\ncells loaded  80\n";
        let rows = memory(answer).unwrap();
        assert_eq!(rows[0].value, Some(2.0));
        assert_eq!(rows[1].value, Some(1.0));
        assert_eq!(rows[2].value, Some(0.5));
        assert!(memory("nothing").is_err());
    }
}
