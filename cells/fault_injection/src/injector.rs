//! The provider: finds the place and does the damage.

use crate::choice::{Random, references, skippable};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use fault_injection_port::{INJECTOR, Injector};
use mod_mgmt::damage::Power;
use mod_mgmt::namespace::{Loaded, NAMESPACE};
use port::{Birth, BirthError, Component, CrashKind};
use sync::SpinLock;

/// The cell's description.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&fault_injection_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let power = Power::grant(birth.options())
        .ok_or_else(|| BirthError::Missing(String::from("the option faults=inject")))?;
    birth.provide(
        &INJECTOR,
        Box::new(Damage {
            power,
            last: SpinLock::new(None),
        }) as Box<dyn Injector>,
    );
    Ok(())
}

struct Damage {
    power: Power,
    /// What was done last.
    last: SpinLock<Option<Done>>,
}

/// Damage that was done: where, what was there, what is there now.
#[derive(Clone, Copy)]
struct Done {
    at: usize,
    len: usize,
    before: [u8; LONGEST],
    after: [u8; LONGEST],
}

/// The longest instruction of the architecture, and the most bytes that are damaged.
const LONGEST: usize = 15;

/// How far into an object that a provider points to a wild write goes.
const REACH: usize = 128;
/// Bytes of code that are searched for an instruction at a time.
const PIECE: usize = 256;
/// Bytes of code behind a chosen instruction in which a reference to the writable
/// pages is looked for.
const NEAR: usize = 1024;
/// How often a place is looked for.
const TRIES: usize = 200;
/// One byte that does nothing.
const NOP: u8 = 0x90;

impl Component for Damage {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Injector for Damage {
    fn inject(
        &self,
        cell: &str,
        kind: &str,
        seed: u64,
        at: Option<Range<usize>>,
    ) -> Result<String, String> {
        let loaded = NAMESPACE
            .find(cell)
            .ok_or_else(|| format!("no cell `{cell}`; `cells --all` lists them\n"))?;
        let random = &mut Random(seed);
        let done = match kind {
            "code" => self
                .code(&loaded)
                .map(|(start, len)| format!("{start:#x} {len}\n")),
            "text" => self.text(&loaded, random, at),
            "skip" => self.skip(&loaded, random, at),
            "data" => self.data(&loaded, random, at, 1),
            "word" => self.data(&loaded, random, at, 8),
            "state" => self.state(&loaded, random),
            "undo" => return Ok(self.undo()),
            _ => {
                return Err(String::from(
                    "kinds are code, text, skip, data, word, state, undo\n",
                ));
            }
        };
        done.ok_or_else(|| format!("{cell} has nothing that `{kind}` could damage\n"))
    }
}

impl Damage {
    /// Writes `bytes`, and notes what was there.
    fn write(&self, at: usize, bytes: &[u8]) -> Option<()> {
        let len = bytes.len().min(LONGEST);
        let (mut before, mut after) = ([0; LONGEST], [0; LONGEST]);
        after[..len].copy_from_slice(&bytes[..len]);
        for (byte, at) in before[..len].iter_mut().zip(at..) {
            *byte = self.power.read(at)?;
        }
        *self.last.lock() = Some(Done {
            at,
            len,
            before,
            after,
        });
        let done = (at..).zip(&bytes[..len]);
        done.fold(true, |done, (at, byte)| done & self.power.write(at, *byte))
            .then_some(())
    }

    /// Takes the last damage back if nobody has written there since.
    fn undo(&self) -> String {
        let Some(last) = self.last.lock().take() else {
            return String::from("nothing to undo\n");
        };
        let is_there = (last.at..)
            .zip(&last.after[..last.len])
            .all(|(at, byte)| self.power.read(at) == Some(*byte));
        let undone = is_there
            && (last.at..)
                .zip(&last.before[..last.len])
                .all(|(at, byte)| self.power.write(at, *byte));
        let said = if undone { "undone" } else { "gone already" };
        format!("{said}: {:#x}\n", last.at)
    }

    fn flip(&self, at: usize, random: &mut Random) -> Option<String> {
        let bit = random.below(8);
        let byte = self.power.read(at)?;
        self.write(at, &[byte ^ 1 << bit])?;
        Some(format!("bit {bit} at {}\n", place(at)))
    }

    /// Bytes of code, without the padding at the end.
    fn code(&self, cell: &Loaded) -> Option<(usize, usize)> {
        let [(start, len), _] = self.power.parts(cell);
        let last = (0..len)
            .rev()
            .find(|at| self.power.read(start + at) != Some(0));
        last.map(|last| (start, last + 1))
    }

    /// The bytes of `at`, as addresses, if they lie in the cell's code.
    fn chosen(&self, cell: &Loaded, at: &Range<usize>) -> Option<Range<usize>> {
        let [(start, len), _] = self.power.parts(cell);
        let fits = at.start < at.end && at.end <= len && at.len() <= LONGEST;
        fits.then(|| start + at.start..start + at.end)
    }

    /// A bit of the code: of the instruction `at`, or anywhere.
    fn text(&self, cell: &Loaded, random: &mut Random, at: Option<Range<usize>>) -> Option<String> {
        let chosen = match at {
            Some(at) => self.chosen(cell, &at)?,
            None => self.code(cell).map(|(start, len)| start..start + len)?,
        };
        self.flip(chosen.start + random.below(chosen.len()), random)
    }

    /// The instruction `at`, or any call or conditional jump.
    fn skip(&self, cell: &Loaded, random: &mut Random, at: Option<Range<usize>>) -> Option<String> {
        let (at, length) = match at {
            Some(at) => self.chosen(cell, &at).map(|at| (at.start, at.len()))?,
            None => self.any_skippable(cell, random)?,
        };
        self.write(at, &[NOP; LONGEST][..length])?;
        Some(format!("{length} bytes skipped at {}\n", place(at)))
    }

    /// Address and length of a call or conditional jump.
    fn any_skippable(&self, cell: &Loaded, random: &mut Random) -> Option<(usize, usize)> {
        let (start, len) = self.code(cell)?;
        let stub = |target| {
            let byte = |at| self.power.read(target + at);
            target % 8 == 0 && byte(0) == Some(0xff) && byte(1) == Some(0x25)
        };
        let from = |address| cell.function(address).map(|(_, start)| start);
        for _ in 0..TRIES {
            let last = len.saturating_sub(PIECE).max(1);
            let piece = start + random.below(last);
            let code = self.bytes(piece..(piece + PIECE).min(start + len))?;
            let inside = |target: i64| {
                let target = piece.wrapping_add_signed(target as isize);
                (start..start + len).contains(&target).then_some(target)
            };
            let entry = |target| inside(target).is_some_and(|at| stub(at) || from(at) == Some(at));
            let near = |at: usize, target| {
                inside(target).is_some_and(|target| from(piece + at) == from(target))
            };
            let found: Vec<(usize, usize)> = skippable(&code, entry, near).collect();
            if !found.is_empty() {
                let (offset, length) = found[random.below(found.len())];
                return Some((piece + offset, length));
            }
        }
        None
    }

    fn bytes(&self, range: Range<usize>) -> Option<Vec<u8>> {
        range.map(|at| self.power.read(at)).collect()
    }

    /// A bit, or `bytes` random ones, of the writable pages: of a word that code at or
    /// behind `at` refers to, or anywhere.
    fn data(
        &self,
        cell: &Loaded,
        random: &mut Random,
        at: Option<Range<usize>>,
        bytes: usize,
    ) -> Option<String> {
        let [(code, code_len), (start, len)] = self.power.parts(cell);
        let word = match at {
            Some(at) => {
                let from = code + at.start.min(code_len);
                let near = self.bytes(from..(from + NEAR).min(code + code_len))?;
                let target = |target: i64| from.wrapping_add_signed(target as isize);
                let mut found = references(&near).map(target);
                found.find(|target| (start..start + len - 7).contains(target))?
            }
            None => start + random.below(len / 8) * 8,
        };
        match bytes {
            1 => self.flip(word + random.below(8), random),
            _ => self.word(word, random),
        }
    }

    fn word(&self, at: usize, random: &mut Random) -> Option<String> {
        self.write(at, &random.next().to_le_bytes())?;
        Some(format!("eight bytes at {}\n", place(at)))
    }

    /// Eight bytes of the provider or, as often, of what one of its words points
    /// to.
    fn state(&self, cell: &Loaded, random: &mut Random) -> Option<String> {
        let doors = cell.cell()?.provides;
        let door = doors.get(random.below(doors.len()))?;
        let (start, len) = door.object()?;
        if len < 8 {
            return None;
        }
        let at = start + random.below(len / 8) * 8;
        let mut word = [0; 8];
        for (byte, at) in word.iter_mut().zip(at..) {
            *byte = self.power.read(at)?;
        }
        let target = u64::from_le_bytes(word) as usize;
        let follows = random.below(2) == 1 && target % 8 == 0 && self.power.is_heap(target);
        match follows {
            true => self.word(target + random.below(REACH / 8) * 8, random),
            false => self.word(at, random),
        }
    }
}

/// The function at an address, or the offset in the cell, for data.
fn place(address: usize) -> String {
    let Some(cell) = NAMESPACE.by_address(address) else {
        return format!("{address:#x}");
    };
    let is_code = cell.memory[0].contains(address);
    match NAMESPACE.describe(address) {
        Some(place) if is_code => format!("{address:#x} {place}"),
        _ => format!("{address:#x} {} + {:#x}", cell.name, address - cell.start),
    }
}
