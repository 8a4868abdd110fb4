//! The first packet of a connection.

use crate::message::{Body, malformed};
use crate::settings;
use alloc::format;
use alloc::string::ToString;
use pg_types::{SqlError, SqlState};
use pg_wire_port::{Phase, Session, Severity, Step};

/// Request codes in the place of a version.
const CANCEL: i32 = 80_877_102;
const SSL: i32 = 80_877_103;
const GSS_ENCRYPTION: i32 = 80_877_104;

/// Handles it.
pub fn step(session: &mut Session, body: &[u8]) -> Step {
    match packet(session, Body(body)) {
        Ok(step) => step,
        Err(error) => {
            session.out.report(Severity::Fatal, error.fields());
            Step::Close
        }
    }
}

fn packet(session: &mut Session, mut body: Body<'_>) -> Result<Step, SqlError> {
    match body.i32()? {
        SSL | GSS_ENCRYPTION => {
            session.out.raw(b'N');
            Ok(Step::Flush)
        }
        CANCEL => {
            let (pid, secret) = (body.i32()?, body.i32()?);
            pg_wire_port::cancel(pid.cast_unsigned(), secret.cast_unsigned());
            Ok(Step::Close)
        }
        version if version >> 16 == 3 => start(session, version, body),
        version => Err(SqlError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!(
                "unsupported frontend protocol {}.{}: server supports 3.0 to 3.0",
                version >> 16,
                version & 0xFFFF
            ),
        )),
    }
}

fn start(session: &mut Session, version: i32, mut body: Body<'_>) -> Result<Step, SqlError> {
    let mut unknown = alloc::vec::Vec::new();
    loop {
        let name = body.text()?;
        if name.is_empty() {
            break;
        }
        let value = body.text()?;
        match name {
            "user" => session.user = value.to_string(),
            "database" => session.database = value.to_string(),
            "options" => options(session, value)?,
            "replication" if matches!(value, "false" | "off" | "no" | "0") => {}
            "replication" => return Err(SqlError::unsupported("replication")),
            _ if name.starts_with("_pq_.") => unknown.push(name),
            _ => settings::set_at_start(session, name, value)?,
        }
    }
    body.end().map_err(|_| malformed())?;
    if session.user.is_empty() {
        return Err(SqlError::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "no PostgreSQL user name specified in startup packet",
        ));
    }
    if session.database.is_empty() {
        session.database = session.user.clone();
    }
    admit(session)?;
    if version & 0xFFFF != 0 || !unknown.is_empty() {
        negotiate(session, &unknown);
    }
    greet(session);
    Ok(Step::Flush)
}

/// Whether this user may use this database, and there is room.
fn admit(session: &Session) -> Result<(), SqlError> {
    if session.user != "postgres" {
        return Err(SqlError::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            format!("role \"{}\" does not exist", session.user),
        ));
    }
    if session.database != "postgres" {
        return Err(SqlError::new(
            SqlState::INVALID_CATALOG_NAME,
            format!("database \"{}\" does not exist", session.database),
        ));
    }
    if pg_wire_port::sessions().len() as u64 > pg_wire_port::limit() {
        return Err(SqlError::new(
            SqlState::TOO_MANY_CONNECTIONS,
            "sorry, too many clients already",
        ));
    }
    Ok(())
}

/// NegotiateProtocolVersion: 3.0, and none of these options.
fn negotiate(session: &mut Session, unknown: &[&str]) {
    let out = &mut session.out;
    out.begin(b'v');
    out.put_i32(3 << 16);
    out.put_i32(i32::try_from(unknown.len()).unwrap_or(i32::MAX));
    for name in unknown {
        out.put_text(name);
    }
    out.end();
}

/// AuthenticationOk and all that follows it.
fn greet(session: &mut Session) {
    session.out.begin(b'R');
    session.out.put_i32(0);
    session.out.end();
    settings::report_all(session);
    session.out.begin(b'K');
    session.out.put_i32(session.entry.pid.cast_signed());
    session.out.put_i32(session.entry.secret.cast_signed());
    session.out.end();
    session.phase = Phase::Ready;
    {
        let mut activity = session.entry.activity.lock();
        activity.user = session.user.clone();
        activity.database = session.database.clone();
        activity.state_change = pg_wire_port::now();
    }
    session.ready();
}

/// `-c name=value`, `--name=value`, separated by blanks; a backslash keeps the
/// next character as it is.
fn options(session: &mut Session, text: &str) -> Result<(), SqlError> {
    let mut words = alloc::vec::Vec::new();
    let mut word = alloc::string::String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(core::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    let mut words = words.iter().map(alloc::string::String::as_str);
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            Some("") => words.next().unwrap_or_default(),
            Some(setting) => setting,
            None => {
                return Err(SqlError::new(
                    SqlState::SYNTAX_ERROR,
                    format!("invalid command-line argument for server process: {word}"),
                ));
            }
        };
        let Some((name, value)) = setting.split_once('=') else {
            return Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                format!("-c {setting} requires a value"),
            ));
        };
        settings::set_at_start(session, &name.replace('-', "_"), value)?;
    }
    Ok(())
}
