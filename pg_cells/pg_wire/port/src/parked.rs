//! A connection without a task: what it takes to serve it on, in terms that any
//! generation of this crate understands.
//!
//! Texts and numbers by name, since the generation that reads them may know other
//! ones: what it does not know it leaves, what it misses has its default. Plans are
//! not among them. Prepared statements travel as their texts and are prepared anew,
//! by the messages with which a client would do so.

use crate::serve::Handle;
use crate::{Block, Phase, Session, State};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use net_port::TcpStream;

/// See the module's head.
pub(crate) struct Parked {
    pub(crate) fields: Fields,
    pub(crate) stream: Arc<TcpStream>,
}

/// Values by name.
#[derive(Debug, Default)]
pub(crate) struct Fields(pub(crate) BTreeMap<String, Vec<u8>>);

impl Fields {
    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.0.insert(name.into(), value.into());
    }

    fn number(&mut self, name: &str, value: u64) {
        self.bytes(name, &value.to_le_bytes());
    }

    fn texts<'a>(&mut self, name: &str, texts: impl Iterator<Item = &'a str>) {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        self.bytes(name, &bytes);
    }

    fn map(&mut self, name: &str, map: &BTreeMap<String, String>) {
        let pairs = map.iter().flat_map(|(key, value)| [key, value]);
        self.texts(name, pairs.map(String::as_str));
    }

    fn numbers(&mut self, name: &str, numbers: impl Iterator<Item = u64>) {
        let bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        self.bytes(name, &bytes);
    }

    fn get_bytes(&self, name: &str) -> &[u8] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    fn get_number(&self, name: &str) -> Option<u64> {
        self.get_numbers(name).next()
    }

    fn get_numbers<'a>(&'a self, name: &str) -> impl Iterator<Item = u64> + use<'a> {
        let words = self.get_bytes(name).chunks_exact(8);
        words.map(|word| {
            word.iter()
                .rev()
                .fold(0, |n, byte| n << 8 | u64::from(*byte))
        })
    }

    fn get_texts(&self, name: &str) -> Vec<String> {
        let (mut rest, mut texts) = (self.get_bytes(name), Vec::new());
        while let Some((head, tail)) = rest.split_at_checked(8) {
            let length = head
                .iter()
                .rev()
                .fold(0, |n, byte| n << 8 | usize::from(*byte));
            let Some((text, tail)) = tail.split_at_checked(length) else {
                break;
            };
            texts.push(String::from_utf8_lossy(text).into_owned());
            rest = tail;
        }
        texts
    }

    fn get_map(&self, name: &str) -> BTreeMap<String, String> {
        let mut texts = self.get_texts(name).into_iter();
        let mut map = BTreeMap::new();
        while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
            map.insert(key, value);
        }
        map
    }
}

impl Parked {
    /// A new connection.
    pub(crate) fn new(stream: Arc<TcpStream>) -> Self {
        Parked {
            fields: Fields::default(),
            stream,
        }
    }

    /// Whether it was served before.
    pub(crate) fn is_known(&self) -> bool {
        !self.fields.0.is_empty()
    }

    /// What has come from the client and is not handled yet.
    pub(crate) fn input(&self) -> &[u8] {
        self.fields.get_bytes("input")
    }

    /// Notes a session that [`may_leave`], and what has come for it.
    pub(crate) fn of(session: &Session, stream: Arc<TcpStream>, input: &[u8]) -> Self {
        let mut f = Fields::default();
        f.bytes("input", input);
        f.number("ready", u64::from(session.phase == Phase::Ready));
        f.numbers(
            "identity",
            [session.entry.pid, session.entry.secret]
                .map(u64::from)
                .into_iter(),
        );
        f.number("started", session.entry.started.cast_unsigned());
        f.number("seed", session.seed.get());
        f.number("idle_timeout", session.idle_timeout);
        let names = [session.user.as_str(), session.database.as_str()];
        f.texts("names", names.into_iter());
        f.map("settings", &session.settings.session);
        f.map("settings_start", &session.settings.start);
        f.map("reported", &session.reported);
        let sequences = session.sequences.borrow();
        let values = sequences.values.iter();
        f.numbers(
            "sequences",
            values.flat_map(|(oid, value)| [u64::from(*oid), value.cast_unsigned()]),
        );
        f.numbers("last_sequence", sequences.last.map(u64::from).into_iter());
        let activity = session.entry.activity.lock().clone();
        f.texts(
            "activity",
            [activity.application.as_str(), activity.query.as_str()].into_iter(),
        );
        f.numbers(
            "activity_times",
            [activity.query_start, activity.state_change]
                .map(i64::cast_unsigned)
                .into_iter(),
        );
        for (index, (name, statement)) in session.statements.iter().enumerate() {
            f.texts(
                &alloc::format!("statement {index}"),
                [name, &statement.sql].into_iter(),
            );
            f.numbers(
                &alloc::format!("statement {index} types"),
                statement.declared.iter().copied().map(u64::from),
            );
            f.numbers(
                &alloc::format!("statement {index} made"),
                [
                    u64::from(statement.from_sql),
                    statement.made.cast_unsigned(),
                ]
                .into_iter(),
            );
        }
        Parked { fields: f, stream }
    }

    /// The session as it was. Its statements are prepared by `handle`.
    pub(crate) fn revive(self, handle: Handle) -> Session {
        let f = &self.fields;
        let mut identity = f.get_numbers("identity");
        let (Some(pid), Some(secret)) = (identity.next(), identity.next()) else {
            return Session::new(Some(self.stream));
        };
        let started = f.get_number("started").unwrap_or_default().cast_signed();
        let mut session =
            Session::known_as(Some(self.stream), (pid as u32, secret as u32), started);
        if f.get_number("ready") != Some(1) {
            return session;
        }
        session.phase = Phase::Ready;
        session.seed.set(f.get_number("seed").unwrap_or(1));
        session.idle_timeout = f.get_number("idle_timeout").unwrap_or_default();
        let mut names = f.get_texts("names").into_iter();
        session.user = names.next().unwrap_or_default();
        session.database = names.next().unwrap_or_default();
        session.settings.session = f.get_map("settings");
        session.settings.start = f.get_map("settings_start");
        session.reported = f.get_map("reported");
        {
            let mut sequences = session.sequences.borrow_mut();
            let mut values = f.get_numbers("sequences");
            while let (Some(oid), Some(value)) = (values.next(), values.next()) {
                sequences.values.insert(oid as u32, value.cast_signed());
            }
            sequences.last = f.get_number("last_sequence").map(|oid| oid as u32);
        }
        {
            let mut activity = session.entry.activity.lock();
            activity.user.clone_from(&session.user);
            activity.database.clone_from(&session.database);
        }
        for index in 0.. {
            let statement = f.get_texts(&alloc::format!("statement {index}"));
            let [name, sql] = statement.as_slice() else {
                break;
            };
            let types = f.get_numbers(&alloc::format!("statement {index} types"));
            let mut made = f.get_numbers(&alloc::format!("statement {index} made"));
            prepare(&mut session, handle, name, sql, types);
            if let Some(statement) = session.statements.get_mut(name) {
                statement.from_sql = made.next() == Some(1);
                statement.made = made.next().unwrap_or_default().cast_signed();
            }
        }
        show(&mut session, f);
        session
    }
}

/// What others see of it, which preparing has changed.
fn show(session: &mut Session, f: &Fields) {
    let mut activity = session.entry.activity.lock();
    let mut texts = f.get_texts("activity").into_iter();
    let mut times = f.get_numbers("activity_times").map(u64::cast_signed);
    activity.application = texts.next().unwrap_or_default();
    activity.query = texts.next().unwrap_or_default();
    activity.state = State::Idle;
    activity.query_start = times.next().unwrap_or_default();
    activity.xact_start = 0;
    activity.state_change = times.next().unwrap_or_default();
}

/// Prepares a statement as a client would, but tells nobody. One that cannot be
/// prepared any more, such as after its table was dropped, is missing afterwards.
fn prepare(
    session: &mut Session,
    handle: Handle,
    name: &str,
    sql: &str,
    types: impl Iterator<Item = u64>,
) {
    let types: Vec<u32> = types.map(|oid| oid as u32).collect();
    let mut body = Vec::with_capacity(name.len() + sql.len() + 4 + 4 * types.len());
    for text in [name, sql] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    let count = u16::try_from(types.len()).unwrap_or(u16::MAX);
    body.extend_from_slice(&count.to_be_bytes());
    types
        .iter()
        .take(usize::from(count))
        .for_each(|oid| body.extend_from_slice(&oid.to_be_bytes()));
    let mark = session.out.mark();
    handle(session, b'P', &body);
    handle(session, b'S', &[]);
    session.out.rewind(mark);
}

/// Whether a session can be parked now: outside a transaction, with nothing that
/// cannot be told in texts and numbers.
pub(crate) fn may_leave(session: &Session) -> bool {
    session.block == Block::Idle
        && session.phase != Phase::CopyIn
        && !session.skip
        && session.tx.is_none()
        // Others cannot be used any more: their transaction has ended.
        && session.portals.iter().all(|(_, portal)| !portal.hold)
        && session.copy.is_none()
        && session.advisory.borrow().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_were_written() {
        let mut f = Fields::default();
        f.texts("texts", ["", "a\0b", "ü"].into_iter());
        f.numbers("numbers", [0, u64::MAX, 256].into_iter());
        let map = BTreeMap::from([("a".into(), "".into()), ("".into(), "b".into())]);
        f.map("map", &map);
        assert_eq!(f.get_texts("texts"), ["", "a\0b", "ü"]);
        assert_eq!(
            f.get_numbers("numbers").collect::<Vec<_>>(),
            [0, u64::MAX, 256]
        );
        assert_eq!(f.get_map("map"), map);
        assert_eq!(f.get_number("missing"), None);
        assert!(f.get_texts("missing").is_empty());
        f.bytes("texts", &[9, 0, 0, 0, 0, 0, 0, 0, b'x']);
        assert!(f.get_texts("texts").is_empty());
    }
}
