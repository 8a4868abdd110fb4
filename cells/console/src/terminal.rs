//! COM1: the shell's prompt. The log is printed there too, by `nano_core`.

use crate::uart::Uart;
use alloc::string::String;
use console_port::editor::{Editor, Event, PROMPT};
use shell_port::SHELL;

/// Takes what was typed and runs complete lines; gives when to look again without
/// an interrupt.
pub(crate) fn round(uart: Uart, editor: &mut Editor) -> u64 {
    let mut buffer = [0; 64];
    loop {
        let bytes = uart.read(&mut buffer);
        if bytes.is_empty() {
            return u64::MAX;
        }
        for byte in bytes {
            match editor.feed(*byte) {
                Event::Draw(text) => uart.write(text.as_bytes()),
                Event::Cancelled => print(uart, "^C\n"),
                Event::Line(line) => {
                    print(uart, "\n");
                    print(uart, &run_line(&line).1);
                }
            }
            if matches!(byte, b'\r' | b'\n' | 3) {
                uart.write(PROMPT.as_bytes());
            }
        }
    }
}

fn print(uart: Uart, text: &str) {
    uart.write(text.replace('\n', "\r\n").as_bytes());
}

/// Runs a shell command behind a gate; gives success and the answer.
pub(crate) fn run_line(line: &str) -> (bool, String) {
    let answer = task_port::gate(|| SHELL.enter().map(|shell| shell.run(line)));
    match answer {
        Ok(Ok(answer)) => (answer.ok, answer.text),
        Ok(Err(error)) => (false, alloc::format!("{error}\n")),
        Err(fault) => (
            false,
            alloc::format!("the command faulted in {}: {}\n", fault.cell, fault.message),
        ),
    }
}
