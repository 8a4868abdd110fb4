//! Statements that end in a fault of a cell: the client is told, or notices
//! nothing, and its connection lives on.
//!
//! The parser is one of this test's own: it knows SHOW, BEGIN and COMMIT, and
//! panics on command.

use pg_parser_port::{Command, Normalized, PARSER, Parsed, Parser, Statement, ast};
use pg_plan::{TransactionCommand, TransactionModes, Utility};
use pg_types::SqlError;
use port::{Birth, BirthError, Cell, Component, CrashKind, Options};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static FRAGILE: Cell = Cell {
    name: "pg_parser",
    version: "0",
    provides: &[&pg_parser_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide(
        &PARSER,
        Box::new(Fragile(AtomicU32::new(0))) as Box<dyn Parser>,
    );
    Ok(())
}

/// Counts how often it was asked to panic.
struct Fragile(AtomicU32);

impl Component for Fragile {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Parser for Fragile {
    fn parse(&self, sql: &str) -> Result<Vec<Parsed>, SqlError> {
        let utility = match sql {
            "always" => panic!("on command"),
            "once" if self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) => {
                panic!("on command")
            }
            "begin" => Utility::Transaction(TransactionCommand::Begin {
                start: false,
                modes: TransactionModes::default(),
            }),
            "commit" => Utility::Transaction(TransactionCommand::Commit { chain: false }),
            _ => Utility::Show {
                name: Some("port".into()),
            },
        };
        Ok(vec![Parsed {
            statement: Statement::Command(Box::new(Command::Ready(utility))),
            start: 0,
            end: sql.len(),
        }])
    }

    fn parse_expr(&self, _sql: &str) -> Result<ast::Expr, SqlError> {
        Err(SqlError::unsupported("an expression"))
    }

    fn normalize(&self, _sql: &str, _out: &mut Normalized) -> bool {
        false
    }
}

struct Peer(TcpStream);

impl Peer {
    fn send(&mut self, tag: &[u8], body: &[u8]) {
        let length = (body.len() as u32 + 4).to_be_bytes();
        self.0.write_all(&[tag, &length, body].concat()).unwrap();
    }

    fn next(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        self.0.read_exact(&mut body).unwrap();
        (head[0], body)
    }

    /// Tags up to ReadyForQuery, and its status.
    fn answer(&mut self) -> (String, char) {
        let mut tags = String::new();
        loop {
            let (tag, body) = self.next();
            tags.push(char::from(tag));
            if tag == b'Z' {
                return (tags, char::from(body[0]));
            }
        }
    }

    fn ask(&mut self, sql: &str) -> (String, char) {
        self.send(b"Q", &[sql.as_bytes(), b"\0"].concat());
        self.answer()
    }
}

#[test]
fn a_fault_ends_at_the_statement() {
    let _db = rows::Db::new();
    let options = Options::default();
    for cell in [&FRAGILE, &pg_wire::CELL, &host_net::CELL] {
        port::start(cell, &options).expect("the cell starts");
    }
    let port = pg_wire_port::start(0).expect("the service starts");
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut peer = Peer(stream);
    peer.send(b"", b"\x00\x03\x00\x00user\0postgres\0\0");
    peer.answer();

    // Run once more when nothing was sent: the client sees nothing of it.
    assert_eq!(peer.ask("once"), ("TDCZ".into(), 'I'));
    // A fault that comes again is told.
    assert_eq!(peer.ask("always"), ("EZ".into(), 'I'));
    assert_eq!(peer.ask("show"), ("TDCZ".into(), 'I'));

    // A block fails, and can be left.
    assert_eq!(peer.ask("begin"), ("CZ".into(), 'T'));
    assert_eq!(peer.ask("once"), ("TDCZ".into(), 'T'));
    assert_eq!(peer.ask("always"), ("EZ".into(), 'E'));
    assert_eq!(peer.ask("show"), ("EZ".into(), 'E'));
    assert_eq!(peer.ask("commit"), ("CZ".into(), 'I'));

    // The extended protocol skips to Sync.
    peer.send(b"P", b"\0always\0\0\0");
    peer.send(b"B", b"\0\0\0\0\0\0\0\0");
    peer.send(b"E", b"\0\0\0\0\0");
    peer.send(b"S", b"");
    assert_eq!(peer.answer(), ("EZ".into(), 'I'));
    peer.send(b"P", b"\0once\0\0\0");
    peer.send(b"B", b"\0\0\0\0\0\0\0\0");
    peer.send(b"E", b"\0\0\0\0\0");
    peer.send(b"S", b"");
    assert_eq!(peer.answer(), ("12DCZ".into(), 'I'));

    // Cells are replaced between two messages.
    for cell in [&pg_wire::CELL, &FRAGILE] {
        rows::swap(cell);
        assert_eq!(peer.ask("show"), ("TDCZ".into(), 'I'));
    }
}
