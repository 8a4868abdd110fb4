//! A power cut as a disk with a volatile cache sees it.
//!
//! Killing QEMU loses nothing that was written: the host keeps it. So a
//! recording guest's disk sits behind QEMU's `blklogwrites`, which logs every
//! write, flush and discard in order. After the kill, [`cut`] makes the disk
//! anew from the state before the boot: what was durable, and of what came later a
//! part that a seed decides. What is durable when is known to
//! `offline::power::image`: writes with force are, by their place.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use offline::device::DiskFile;
use offline::power::image::{Fates, Replay};
use offline::power::random::Random;

/// Makes `disk` as the power leaves it: from the state `before` the boot and the
/// `log` of all writes.
///
/// # Errors
/// When a file cannot be read or written, or the log is no log.
pub fn cut(before: &Path, log: &Path, disk: &Path, seed: u64) -> Result<Fates> {
    let before = DiskFile(File::open(before)?);
    let mut replay = Replay::over(Arc::new(before), File::open(log)?)?;
    replay.advance(replay.entries().len())?;
    let (layer, fates) = replay.cut(&mut Random::new(seed))?;
    layer.write_to(disk)?;
    Ok(fates)
}
