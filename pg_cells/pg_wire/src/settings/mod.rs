//! The session's parameters: SET, SHOW, RESET and what follows from them.

pub mod table;
mod value;

pub use table::SETTINGS;
pub use value::{boolean, names, shown};

use crate::eval::Changes;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use pg_txn_port::{Durability, Isolation};
use pg_types::{SqlError, SqlState};
use pg_wire_port::{Session, Settings, Severity};
use table::{Context, Setting, find};

/// A change that a function asked for (`set_config`).
#[derive(Clone, Debug)]
pub struct Change {
    /// The parameter, as it is shown.
    pub name: String,
    /// The value, checked.
    pub value: String,
    /// Until the end of the transaction.
    pub local: bool,
}

fn unknown(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"{name}\""),
    )
}

/// What the session has set a parameter to, if it has.
fn changed<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    if settings.is_default() {
        return None;
    }
    match name.bytes().any(|b| b.is_ascii_uppercase()) {
        true => settings.get(&name.to_ascii_lowercase()),
        false => settings.get(name),
    }
}

/// The value in force, as it is kept; none when there is no such parameter.
pub fn raw<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    changed(settings, name).or_else(|| find(name).map(|s| s.default))
}

/// The value of the whole system's parameter: what it was set to at the start, or its
/// default.
pub fn system(name: &str) -> Cow<'static, str> {
    let Some(setting) = find(name) else {
        return Cow::Borrowed("");
    };
    let set = match setting.context {
        Context::Sighup => pg_wire_port::system_setting(setting.name),
        _ => None,
    };
    let value = set.and_then(|value| value::check(setting, &value).ok());
    value.map_or(Cow::Borrowed(setting.default), Cow::Owned)
}

/// The same of a number.
pub fn system_number(name: &str) -> f64 {
    system(name).parse().unwrap_or(0.0)
}

/// The value as SHOW prints it.
pub fn show<'a>(settings: &'a Settings, name: &str) -> Option<Cow<'a, str>> {
    match (changed(settings, name), find(name)) {
        (_, Some(setting)) if setting.context == Context::Sighup => {
            Some(Cow::Owned(shown(setting.kind, &system(name)).into_owned()))
        }
        (value, Some(setting)) => Some(shown(setting.kind, value.unwrap_or(setting.default))),
        (value, None) => value.map(Cow::Borrowed),
    }
}

/// The same of a session, which knows of its transaction.
pub fn show_in<'a>(session: &'a Session, name: &str) -> Result<Cow<'a, str>, SqlError> {
    match find(name) {
        Some(setting) => show_setting(session, setting),
        None => show(&session.settings, name).ok_or_else(|| unknown(name)),
    }
}

/// The same of a known parameter.
fn show_setting<'a>(
    session: &'a Session,
    setting: &'static Setting,
) -> Result<Cow<'a, str>, SqlError> {
    match (setting.name, &session.tx) {
        ("transaction_isolation", Some(tx)) => Ok(isolation_name(tx.isolation()).into()),
        ("transaction_read_only", Some(tx)) => Ok(on_off(tx.is_read_only()).into()),
        ("transaction_deferrable", Some(tx)) => Ok(on_off(tx.is_deferrable()).into()),
        ("transaction_deferrable", None) => show_in(session, "default_transaction_deferrable"),
        ("transaction_isolation", None) => show_in(session, "default_transaction_isolation"),
        ("transaction_read_only", None) => show_in(session, "default_transaction_read_only"),
        ("max_connections", _) => Ok(pg_wire_port::limit().to_string().into()),
        ("session_authorization", _) => Ok(Cow::Borrowed(&session.user)),
        _ if setting.context == Context::Sighup => {
            let value = system(setting.name);
            Ok(Cow::Owned(shown(setting.kind, &value).into_owned()))
        }
        _ => {
            let value = changed(&session.settings, setting.name);
            Ok(shown(setting.kind, value.unwrap_or(setting.default)))
        }
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn isolation_name(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::ReadCommitted => "read committed",
        Isolation::RepeatableRead => "repeatable read",
        Isolation::Serializable => "serializable",
    }
}

/// A value as it is kept, if it may be set at all.
pub fn checked(name: &str, value: &str) -> Result<String, SqlError> {
    let Some(setting) = find(name) else {
        // Names with a dot are applications' own.
        return match name.contains('.') {
            true => Ok(value.to_string()),
            false => Err(unknown(name)),
        };
    };
    let refused = |what: &str| {
        SqlError::new(
            SqlState::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{}\" {what}", setting.name),
        )
    };
    match setting.context {
        Context::User | Context::Superuser => value::check(setting, value),
        _ if setting.name == "session_authorization" => value::check(setting, value),
        Context::Internal => Err(refused("cannot be changed")),
        Context::Postmaster => Err(refused("cannot be changed without restarting the server")),
        Context::Sighup => Err(refused("cannot be changed now")),
    }
}

/// SET and `set_config`. `None` is DEFAULT.
pub fn set(
    session: &mut Session,
    name: &str,
    value: Option<&str>,
    local: bool,
) -> Result<(), SqlError> {
    let key = name.to_ascii_lowercase();
    let value = match value {
        Some(value) => Some(checked(name, value)?),
        None if find(name).is_none() && session.settings.get(&key).is_none() => {
            return Err(unknown(name));
        }
        None => None,
    };
    if special(session, &key, value.as_deref())? {
        return Ok(());
    }
    session.touch_settings();
    if local {
        let value = value.or_else(|| find(name).map(|s| s.default.to_string()));
        session
            .settings
            .local
            .insert(key, value.unwrap_or_default());
        return Ok(());
    }
    session.settings.local.remove(&key);
    match value {
        Some(value) => session.settings.session.insert(key, value),
        None => session.settings.session.remove(&key),
    };
    Ok(())
}

/// Parameters that are the transaction's or the session's own. True when that
/// was all.
fn special(session: &mut Session, key: &str, value: Option<&str>) -> Result<bool, SqlError> {
    match (key, value) {
        ("transaction_isolation", value) => {
            let isolation = isolation(value.unwrap_or("read committed"));
            crate::transaction::set_isolation(session, isolation)?;
            Ok(true)
        }
        ("transaction_read_only", value) => {
            crate::transaction::set_read_only(session, value == Some("on"))?;
            Ok(true)
        }
        ("transaction_deferrable", value) => {
            crate::transaction::set_deferrable(session, value == Some("on"))?;
            Ok(true)
        }
        ("session_authorization" | "role", Some(role)) => {
            let known = role == session.user || matches!(role, "none" | "default");
            match known {
                true => Ok(true),
                false => Err(SqlError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("role \"{role}\" does not exist"),
                )),
            }
        }
        ("session_authorization" | "role", None) => Ok(true),
        _ => Ok(false),
    }
}

/// An isolation level by its name.
pub fn isolation(name: &str) -> Isolation {
    match name {
        "serializable" => Isolation::Serializable,
        "repeatable read" => Isolation::RepeatableRead,
        _ => Isolation::ReadCommitted,
    }
}

/// RESET ALL.
pub fn reset_all(session: &mut Session) {
    session.touch_settings();
    session.settings.session.clear();
    session.settings.local.clear();
}

/// A parameter of the startup packet.
pub fn set_at_start(session: &mut Session, name: &str, value: &str) -> Result<(), SqlError> {
    let value = checked(name, value)?;
    let key = name.to_ascii_lowercase();
    session.settings.start.insert(key, value);
    session.epoch += 1;
    Ok(())
}

/// Takes over what functions have done.
pub fn apply(session: &mut Session, changes: Changes) -> Result<(), SqlError> {
    for (code, message) in changes.warnings {
        session.out.notice(Severity::Warning, code, message);
    }
    for change in changes.settings {
        set(session, &change.name, Some(&change.value), change.local)?;
    }
    Ok(())
}

/// ParameterStatus of all parameters that clients are told of.
pub fn report_all(session: &mut Session) {
    session.reported.clear();
    session.format_epoch = 0;
    adopt(session);
    report(session, true);
}

/// Brings what follows from the parameters up to date, and tells the client of
/// those it wants to know. Cheap when nothing has changed.
#[inline]
pub fn refresh(session: &mut Session) {
    if session.format_epoch != session.epoch {
        adopt(session);
        report(session, false);
    }
}

/// What follows from the parameters.
#[cold]
fn adopt(session: &mut Session) {
    session.format_epoch = session.epoch;
    let settings = &session.settings;
    let get = |name: &str| raw(settings, name).unwrap_or_default();
    let now = session.format.now;
    session.format = value::format_settings(get);
    session.format.now = now;
    session.work_mem = get("work_mem").parse::<usize>().unwrap_or(4096) << 10;
    let multiplier = get("hash_mem_multiplier").parse::<f64>().unwrap_or(2.0);
    session.hash_mem = (session.work_mem as f64 * multiplier) as usize;
    let ms = |name: &str| {
        get(name)
            .parse::<u64>()
            .unwrap_or(0)
            .saturating_mul(1_000_000)
    };
    session.lock_timeout = ms("lock_timeout");
    session.deadlock_timeout = ms("deadlock_timeout");
    session.durability = match get("synchronous_commit") {
        "off" => Durability::Off,
        "second" => Durability::Second,
        _ => Durability::Flushed,
    };
    session.statement_timeout = ms("statement_timeout");
    session.idle_in_transaction_timeout = ms("idle_in_transaction_session_timeout");
    session.idle_timeout = ms("idle_session_timeout");
    session.default_isolation = isolation(get("default_transaction_isolation"));
    session.default_read_only = get("default_transaction_read_only") == "on";
    session.default_deferrable = get("default_transaction_deferrable") == "on";
    let application = get("application_name");
    if session.entry.activity.lock().application != application {
        let application = application.to_string();
        session.entry.activity.lock().application = application;
    }
    session.plan_epoch = plan_epoch(session);
}

/// The number of the settings that plans depend on: sessions of the same
/// settings have the same, so that their plans serve each other.
fn plan_epoch(session: &Session) -> u64 {
    let settings = &session.settings;
    let mut print = String::new();
    for values in [&settings.start, &settings.session, &settings.local] {
        for name in values.keys().filter(|n| table::plans_depend_on(n)) {
            let value = raw(settings, name).unwrap_or_default();
            if find(name).is_some_and(|s| s.default == value) {
                continue;
            }
            // A text cannot hold a zero byte; what is named twice says the same.
            print.extend([name, "\0", value, "\0"]);
        }
    }
    pg_wire_port::plan_epoch(&session.user, &print)
}

/// ParameterStatus of what the client was told otherwise, or of everything. Only
/// values other than the default are kept in mind.
fn report(session: &mut Session, all: bool) {
    for setting in SETTINGS.iter().filter(|s| s.reported) {
        let Ok(value) = show_setting(session, setting) else {
            continue;
        };
        let told = session.reported.get(setting.name).map(String::as_str);
        if !all && told.unwrap_or(setting.default) == value {
            continue;
        }
        let value = value.into_owned();
        session.out.parameter_status(setting.name, &value);
        match value == setting.default {
            true => drop(session.reported.remove(setting.name)),
            false => drop(session.reported.insert(setting.name.to_string(), value)),
        }
    }
}
