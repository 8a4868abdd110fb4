//! Starting psql and its like on the server of this process.

use std::io::Write;
use std::process::{Command, Stdio};

/// A program that is to reach the server, if it is installed.
pub fn tool(name: &str) -> Option<Command> {
    let there = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !there.is_ok_and(|s| s.success()) {
        eprintln!("{name} is not installed: not tested");
        return None;
    }
    let mut command = Command::new(name);
    command
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", host_server::start().to_string())
        .env("PGUSER", "postgres")
        .env("PGDATABASE", "postgres")
        .env("PGCONNECT_TIMEOUT", "20");
    Some(command)
}

/// What psql prints for a script, unaligned, errors among it.
pub fn psql(script: &str) -> Option<String> {
    let mut child = tool("psql")?
        .args(["-X", "-q", "-A", "-t", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(text(&output.stdout) + &text(&output.stderr))
}

/// psql prints this for a script.
pub fn check(script: &str, expected: &str) {
    if let Some(printed) = psql(script) {
        assert_eq!(printed.trim(), expected.trim());
    }
}
