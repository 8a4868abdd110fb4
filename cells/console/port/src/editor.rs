//! A line being typed: editing keys and history. Pure: bytes in, what to draw
//! out, so it is tested on the host.

use alloc::string::String;
use alloc::vec::Vec;

const KEEP: usize = 100;
const LONGEST: usize = 1000;

/// What a byte led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Write this to the terminal.
    Draw(String),
    /// The line is complete; the terminal is on a new line.
    Line(String),
    /// The line was given up (control-C).
    Cancelled,
}

/// The state of the line and its history.
#[derive(Debug, Default)]
pub struct Editor {
    line: Vec<u8>,
    cursor: usize,
    history: Vec<Vec<u8>>,
    /// Which line of the history is shown; its length: the new line.
    shown: usize,
    /// The new line while an older one is shown.
    draft: Vec<u8>,
    escape: Vec<u8>,
}

impl Editor {
    /// An empty line with an empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one byte from the terminal.
    pub fn feed(&mut self, byte: u8) -> Event {
        if !self.escape.is_empty() {
            return self.escaped(byte);
        }
        match byte {
            b'\r' | b'\n' => return self.finish(),
            3 => {
                self.reset();
                return Event::Cancelled;
            }
            8 | 127 if self.cursor > 0 => {
                self.cursor -= 1;
                self.line.remove(self.cursor);
            }
            1 => self.cursor = 0,
            5 => self.cursor = self.line.len(),
            21 => {
                self.line.drain(..self.cursor);
                self.cursor = 0;
            }
            11 => self.line.truncate(self.cursor),
            16 => self.recall(self.shown.checked_sub(1)),
            14 => self.recall(Some(self.shown + 1)),
            27 => {
                self.escape.push(byte);
                return Event::Draw(String::new());
            }
            b' '..=b'~' if self.line.len() < LONGEST => {
                self.line.insert(self.cursor, byte);
                self.cursor += 1;
            }
            _ => return Event::Draw(String::new()),
        }
        self.draw()
    }

    /// The keys that send several bytes: ESC [ final, or ESC [ digit ~.
    fn escaped(&mut self, byte: u8) -> Event {
        self.escape.push(byte);
        match self.escape.as_slice() {
            [27, b'[' | b'O'] | [27, b'[', b'0'..=b'9'] => return Event::Draw(String::new()),
            [27, _, b'A'] => self.recall(self.shown.checked_sub(1)),
            [27, _, b'B'] => self.recall(Some(self.shown + 1)),
            [27, _, b'C'] => self.cursor = (self.cursor + 1).min(self.line.len()),
            [27, _, b'D'] => self.cursor = self.cursor.saturating_sub(1),
            [27, _, b'H'] | [27, b'[', b'1', b'~'] => self.cursor = 0,
            [27, _, b'F'] | [27, b'[', b'4', b'~'] => self.cursor = self.line.len(),
            [27, b'[', b'3', b'~'] if self.cursor < self.line.len() => {
                self.line.remove(self.cursor);
            }
            _ => {}
        }
        self.escape.clear();
        self.draw()
    }

    fn recall(&mut self, wanted: Option<usize>) {
        let Some(wanted) = wanted.filter(|w| *w <= self.history.len()) else {
            return;
        };
        if self.shown == self.history.len() {
            self.draft.clone_from(&self.line);
        }
        self.shown = wanted;
        self.line = self.history.get(wanted).unwrap_or(&self.draft).clone();
        self.cursor = self.line.len();
    }

    fn finish(&mut self) -> Event {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        if !self.line.is_empty() && self.history.last() != Some(&self.line) {
            self.history.push(self.line.clone());
            if self.history.len() > KEEP {
                self.history.remove(0);
            }
        }
        self.reset();
        Event::Line(line)
    }

    fn reset(&mut self) {
        self.line.clear();
        self.draft.clear();
        self.cursor = 0;
        self.shown = self.history.len();
    }

    /// Draws the line anew after the prompt: carriage return, prompt, line, clear
    /// to the end, cursor back.
    #[must_use]
    pub fn draw(&self) -> Event {
        let mut text = String::from("\r");
        text += PROMPT;
        text += &String::from_utf8_lossy(&self.line);
        text += "\x1b[K";
        let back = self.line.len() - self.cursor;
        if back > 0 {
            text += &alloc::format!("\x1b[{back}D");
        }
        Event::Draw(text)
    }
}

/// The shell's prompt.
pub const PROMPT: &str = "mitos> ";

#[cfg(test)]
mod tests {
    use super::*;

    fn type_all(editor: &mut Editor, text: &str) -> Option<String> {
        let mut line = None;
        for byte in text.bytes() {
            if let Event::Line(done) = editor.feed(byte) {
                line = Some(done);
            }
        }
        line
    }

    #[test]
    fn keys_edit_the_line() {
        let mut e = Editor::new();
        assert_eq!(
            type_all(&mut e, "swpa\x7f\x7fap net\r").unwrap(),
            "swap net"
        );
        assert_eq!(type_all(&mut e, "em\x01m\x05!\x7f\r").unwrap(), "mem");
        assert_eq!(type_all(&mut e, "ac\x1b[Db\r").unwrap(), "abc");
        assert_eq!(type_all(&mut e, "abc\x1b[H\x1b[3~\r").unwrap(), "bc");
        assert_eq!(type_all(&mut e, "garbage\x15cells\r").unwrap(), "cells");
    }

    #[test]
    fn history_goes_back_and_forth_and_keeps_the_draft() {
        let mut e = Editor::new();
        type_all(&mut e, "one\rtwo\r");
        assert_eq!(type_all(&mut e, "\x1b[A\x1b[A\r").unwrap(), "one");
        assert_eq!(type_all(&mut e, "dra\x1b[A\x1b[Bft\r").unwrap(), "draft");
        assert_eq!(e.feed(3), Event::Cancelled);
    }
}
