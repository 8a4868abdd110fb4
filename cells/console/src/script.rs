//! COM2: the control line, for the host's command line and for tests.

use crate::terminal::run_line;
use crate::uart::Uart;
use alloc::string::String;
use alloc::vec::Vec;
use control::{PushBody, Reader, Reply, Request, Verb};
use shell_port::SHELL;

/// Takes what has come and answers complete requests; gives when to look again
/// without an interrupt. Half a request that does not grow is forgotten.
pub(crate) fn round(uart: Uart, reader: &mut Reader<Request>, stale: &mut u64) -> u64 {
    let mut buffer = [0; 64];
    let mut any = false;
    loop {
        let mut bytes = uart.read(&mut buffer);
        if bytes.is_empty() {
            break;
        }
        any = true;
        while !bytes.is_empty() {
            let (taken, request) = reader.feed(bytes);
            bytes = &bytes[taken..];
            if let Some(request) = request {
                reply(uart, &request);
            }
        }
    }
    let now = task_port::now();
    if any {
        *stale = now + control::STALE_MILLISECONDS * 1_000_000;
    } else if now >= *stale {
        reader.reset();
    }
    match reader.is_midway() {
        true => *stale,
        false => u64::MAX,
    }
}

fn reply(uart: Uart, request: &Request) {
    let (ok, text) = answer(request);
    let reply = Reply {
        ok,
        id: request.id,
        body: text.into_bytes(),
    };
    uart.write(&reply.encode());
}

fn answer(request: &Request) -> (bool, String) {
    match request.verb {
        Verb::Shell => match core::str::from_utf8(&request.body) {
            Ok(control::MAILBOX_WORD) => (mailbox::is_there(), String::new()),
            Ok(line) => run_line(line),
            Err(_) => (false, String::from("the command is not UTF-8\n")),
        },
        Verb::Push => match PushBody::parse(&request.body) {
            Some(PushBody::Inline(archive)) => push(archive.to_vec()),
            Some(PushBody::Mailbox(len)) => match mailbox::read(len) {
                Some(archive) => push(archive),
                None => (false, String::from("the mailbox cannot be read\n")),
            },
            None => (
                false,
                String::from("the push names more than the mailbox holds\n"),
            ),
        },
    }
}

fn push(archive: Vec<u8>) -> (bool, String) {
    match task_port::gate(|| SHELL.enter().map(|shell| shell.push(archive))) {
        Ok(Ok(answer)) => (answer.ok, answer.text),
        Ok(Err(error)) => (false, alloc::format!("{error}\n")),
        Err(fault) => (
            false,
            alloc::format!("the push faulted in {}: {}\n", fault.cell, fault.message),
        ),
    }
}
