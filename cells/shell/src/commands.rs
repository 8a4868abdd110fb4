//! The table of commands.

use crate::{cells, counters, devices, mem, system};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use port::{Birth, BirthError, Component, CrashKind};
use shell_port::{Answer, SHELL, Shell};

/// The cell's description.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&shell_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide(&SHELL, Box::new(Commands) as Box<dyn Shell>);
    Ok(())
}

struct Commands;

impl Component for Commands {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Shell for Commands {
    fn run(&self, line: &str) -> Answer {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((name, arguments)) = words.split_first() else {
            return Answer {
                ok: true,
                text: String::new(),
            };
        };
        let result = match COMMANDS.iter().find(|c| c.name == *name) {
            Some(command) => (command.run)(arguments),
            None => Err(format!("unknown command `{name}`; `help` lists them all\n")),
        };
        answer(result)
    }

    fn push(&self, archive: Vec<u8>) -> Answer {
        answer(cells::push(archive))
    }
}

fn answer(result: Outcome) -> Answer {
    match result {
        Ok(text) => Answer { ok: true, text },
        Err(text) => Answer { ok: false, text },
    }
}

/// A command's answer, or what is wrong and what to do next.
pub(crate) type Outcome = Result<String, String>;

struct Command {
    name: &'static str,
    usage: &'static str,
    does: &'static str,
    run: fn(&[&str]) -> Outcome,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "help",
        usage: "help",
        does: "this list",
        run: help,
    },
    Command {
        name: "cells",
        usage: "cells [--history [CELL] | --repairs | --all | --deps CELL | --objects | --watch [LINES]]",
        does: "cells with a port: version, generation, size, calls in flight, swaps, faults",
        run: cells::cells,
    },
    Command {
        name: "swap",
        usage: "swap CELL... | swap CELL with OTHER",
        does: "replace running cells by fresh instances, as one set",
        run: cells::swap,
    },
    Command {
        name: "rollback",
        usage: "rollback CELL [GENERATION]",
        does: "bring back the version that ran before, or in that generation",
        run: cells::rollback,
    },
    Command {
        name: "crash",
        usage: "crash CELL panic|null|wild|divide|opcode|...",
        does: "make the next call into a cell fault",
        run: cells::crash,
    },
    Command {
        name: "inject",
        usage: "inject CELL code|text|data|word|skip|state|undo SEED [OFFSET LENGTH]",
        does: "damage a running cell (only when booted with faults=inject)",
        run: cells::inject,
    },
    Command {
        name: "tasks",
        usage: "tasks",
        does: "all tasks, what they use and hold",
        run: system::tasks,
    },
    Command {
        name: "mem",
        usage: "mem",
        does: "memory in use, and by whom",
        run: mem::mem,
    },
    Command {
        name: "counters",
        usage: "counters",
        does: "what is held and was done, a name and a number a line, for scripts",
        run: counters::counters,
    },
    Command {
        name: "disk",
        usage: "disk",
        does: "the disk, and what it is asked for",
        run: devices::disk,
    },
    Command {
        name: "net",
        usage: "net",
        does: "addresses, connections, what came and went",
        run: devices::net,
    },
    Command {
        name: "log",
        usage: "log [LINES]",
        does: "the latest lines of the log",
        run: system::log,
    },
    Command {
        name: "check",
        usage: "check",
        does: "search the disk for damage: every page, row and index entry",
        run: system::check,
    },
    Command {
        name: "uptime",
        usage: "uptime",
        does: "time since power-on",
        run: system::uptime,
    },
    Command {
        name: "where",
        usage: "where ADDRESS",
        does: "the cell and function at an address",
        run: system::place,
    },
    Command {
        name: "stop",
        usage: "stop",
        does: "shut down cleanly",
        run: system::stop,
    },
];

fn help(_: &[&str]) -> Outcome {
    Ok(COMMANDS
        .iter()
        .map(|c| format!("{:<62} {}\n", c.usage, c.does))
        .collect())
}
