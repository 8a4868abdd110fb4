//! How the sections of a cell are gathered.

use std::path::PathBuf;

use anyhow::Result;

use crate::paths::{Paths, write_if_changed};

/// The script that gathers a cell's thousands of sections into a few.
///
/// `.eh_frame` gets the terminator that `ld -r` leaves out.
pub const MERGE_SCRIPT: &str = "\
SECTIONS
{
  .text 0 : { __cell_text = .; *(.text .text.*) }
  .rodata 0 : { *(.rodata .rodata.* .lrodata .lrodata.*) }
  .data.rel.ro 0 : { *(.data.rel.ro .data.rel.ro.*) }
  .data 0 : { *(.data .data.* .ldata .ldata.*) }
  .bss 0 : { *(.bss .bss.* .lbss .lbss.* COMMON) }
  .tdata 0 : { *(.tdata .tdata.*) }
  .tbss 0 : { *(.tbss .tbss.*) }
  .gcc_except_table 0 : { *(.gcc_except_table .gcc_except_table.*) }
  .eh_frame 0 : { __cell_eh_frame = .; KEEP(*(.eh_frame .eh_frame.*)) LONG(0) }
  /DISCARD/ : { *(.comment) *(.note .note.*) *(.llvmbc) *(.llvmcmd) *(.debug .debug_*) *(.rmeta) }
}
";

/// Writes the merge script where `ld` can read it.
pub fn write_merge_script(paths: &Paths) -> Result<PathBuf> {
    let path = paths.image().join("merge.ld");
    write_if_changed(&path, MERGE_SCRIPT.as_bytes())?;
    Ok(path)
}
