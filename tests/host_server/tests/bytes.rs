//! Clients that do not speak the protocol well.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn connect() -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", host_server::start())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

fn packet(body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32 + 4).to_be_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend(packet(body));
    bytes
}

/// The next message: tag and body. None at the end.
fn next(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).ok()?;
    Some((head[0], body))
}

/// Reads up to ReadyForQuery; gives the tags.
fn until_ready(stream: &mut TcpStream) -> String {
    let mut tags = String::new();
    while let Some((tag, _)) = next(stream) {
        tags.push(char::from(tag));
        if tag == b'Z' {
            return tags;
        }
    }
    tags + "."
}

fn started() -> TcpStream {
    let mut stream = connect();
    let body = b"\x00\x03\x00\x00user\0postgres\0database\0postgres\0\0";
    stream.write_all(&packet(body)).unwrap();
    let tags = until_ready(&mut stream);
    assert!(tags.starts_with("RS") && tags.ends_with("KZ"), "{tags}");
    stream
}

/// The SQLSTATE of an error.
fn code(body: &[u8]) -> String {
    let field = body.split(|b| *b == 0).find(|f| f.first() == Some(&b'C'));
    String::from_utf8_lossy(&field.expect("a code")[1..]).into_owned()
}

#[test]
fn encryption_is_declined_and_the_start_goes_on() {
    let mut stream = connect();
    for request in [80_877_103u32, 80_877_104] {
        stream.write_all(&packet(&request.to_be_bytes())).unwrap();
        let mut answer = [0];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"N");
    }
    let body = b"\x00\x03\x00\x00user\0postgres\0\0";
    stream.write_all(&packet(body)).unwrap();
    assert!(until_ready(&mut stream).ends_with('Z'));
}

#[test]
fn wrong_starts_are_refused() {
    for (body, expected) in [
        (&b"\x00\x03\x00\x00user\0nobody\0\0"[..], "28000"),
        (
            b"\x00\x03\x00\x00user\0postgres\0database\0none\0\0",
            "3D000",
        ),
        (b"\x00\x03\x00\x00database\0postgres\0\0", "28000"),
        (b"\x00\x02\x00\x00user\0postgres\0\0", "0A000"),
        (b"\x00\x03\x00\x00user\0post", "08P01"),
    ] {
        let mut stream = connect();
        stream.write_all(&packet(body)).unwrap();
        let (tag, error) = next(&mut stream).expect("an answer");
        assert_eq!((tag, code(&error).as_str()), (b'E', expected));
        assert!(next(&mut stream).is_none());
    }
    let mut stream = connect();
    stream.write_all(&[0x7F; 8]).unwrap();
    let (tag, error) = next(&mut stream).expect("an answer");
    assert_eq!((tag, code(&error).as_str()), (b'E', "08P01"));
}

#[test]
fn impossible_lengths_and_tags_end_the_connection() {
    for bytes in [&b"Q\xFF\xFF\xFF\xFF"[..], b"Q\0\0\0\x03", b"~\0\0\0\x04"] {
        let mut stream = started();
        stream.write_all(bytes).unwrap();
        let (tag, error) = next(&mut stream).expect("an answer");
        assert_eq!((tag, code(&error).as_str()), (b'E', "08P01"));
        assert!(next(&mut stream).is_none());
    }
}

#[test]
fn damaged_bodies_fail_up_to_sync() {
    let mut stream = started();
    for (tag, body) in [
        (b'P', &b"name without end"[..]),
        (b'B', b"\0\0\x7F\xFF"),
        (b'D', b"?\0"),
        (b'E', b"\0\0"),
    ] {
        stream.write_all(&message(tag, body)).unwrap();
        stream
            .write_all(&message(b'P', b"\0SELECT 1\0\0\0"))
            .unwrap();
        stream.write_all(&message(b'S', b"")).unwrap();
        assert_eq!(until_ready(&mut stream), "EZ", "{}", char::from(tag));
    }
    stream.write_all(&message(b'Q', b"\xFF\0")).unwrap();
    assert_eq!(until_ready(&mut stream), "EZ");
}

#[test]
fn messages_may_come_byte_by_byte() {
    let mut stream = started();
    let mut bytes = message(b'P', b"\0SELECT $1::int4\0\0\0");
    bytes.extend(message(b'B', b"\0\0\0\0\0\x01\0\0\0\x0242\0\0"));
    bytes.extend(message(b'D', b"P\0"));
    bytes.extend(message(b'E', b"\0\0\0\0\0"));
    bytes.extend(message(b'S', b""));
    for byte in &bytes {
        stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(until_ready(&mut stream), "12TDCZ");
}

#[test]
fn an_empty_text_has_an_answer_of_its_own() {
    let mut stream = started();
    for text in [&b"\0"[..], b" ; ;\0", b"-- nothing\0"] {
        stream.write_all(&message(b'Q', text)).unwrap();
        assert_eq!(until_ready(&mut stream), "IZ");
    }
}

#[test]
fn a_connection_that_goes_away_leaves_nothing() {
    let before = pg_wire_port::sessions().len();
    let mut stream = started();
    stream.write_all(&message(b'Q', b"BEGIN\0")).unwrap();
    assert_eq!(until_ready(&mut stream), "CZ");
    drop(stream);
    for _ in 0..100 {
        if pg_wire_port::sessions().len() <= before {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the session is still there");
}
