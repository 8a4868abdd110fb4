//! Running a tool and reading what it says.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs to the end and returns standard output; a failure carries what the
/// tool printed on standard error.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| match name.as_str() {
            "ld" | "as" | "objcopy" => {
                format!("`{name}` is missing; install it with: sudo apt-get install -y binutils")
            }
            _ => format!("cannot start `{name}`"),
        })?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("`{name}` failed ({}):\n{}", out.status, said.trim_end());
    }
    Ok(out.stdout)
}

/// The same, as text without the final newline.
pub fn text(command: &mut Command) -> Result<String> {
    let bytes = output(command)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_string())
}
