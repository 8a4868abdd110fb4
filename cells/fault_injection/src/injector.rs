//! The provider: finds the place and does the damage.

use crate::choice::{Random, skippable};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use fault_injection_port::{INJECTOR, Injector};
use mod_mgmt::damage::Power;
use mod_mgmt::namespace::{Loaded, NAMESPACE};
use port::{Birth, BirthError, Component, CrashKind};

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
    birth.provide(&INJECTOR, Box::new(Damage(power)) as Box<dyn Injector>);
    Ok(())
}

struct Damage(Power);

/// How far into an object that a provider points to a wild write goes.
const REACH: usize = 128;
/// Bytes of code that are searched for an instruction at a time.
const PIECE: usize = 256;
/// Bytes of a block of code that surely belong to it, nearly always.
const BLOCK: usize = 12;
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
        at: Option<usize>,
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
            "data" => self.data(&loaded, random, 1),
            "word" => self.data(&loaded, random, 8),
            "state" => self.state(&loaded, random),
            _ => {
                return Err(String::from(
                    "kinds are code, text, skip, data, word, state\n",
                ));
            }
        };
        done.ok_or_else(|| format!("{cell} has nothing that `{kind}` could damage\n"))
    }
}

impl Damage {
    fn flip(&self, at: usize, random: &mut Random) -> Option<String> {
        let bit = random.below(8);
        let byte = self.0.read(at)?;
        let done = self.0.write(at, byte ^ 1 << bit);
        done.then(|| format!("bit {bit} at {}\n", place(at)))
    }

    /// Bytes of code, without the padding at the end.
    fn code(&self, cell: &Loaded) -> Option<(usize, usize)> {
        let [(start, len), _] = self.0.parts(cell);
        let last = (0..len).rev().find(|at| self.0.read(start + at) != Some(0));
        last.map(|last| (start, last + 1))
    }

    /// A bit of the code: of the block `at`, or anywhere.
    fn text(&self, cell: &Loaded, random: &mut Random, at: Option<usize>) -> Option<String> {
        let (start, len) = self.code(cell)?;
        let (from, room) = at.map_or((0, len), |at| (at, BLOCK));
        let at = (from + random.below(room)).min(len - 1);
        self.flip(start + at, random)
    }

    /// A call or conditional jump: the first behind `at`, or any.
    fn skip(&self, cell: &Loaded, random: &mut Random, at: Option<usize>) -> Option<String> {
        let (start, len) = self.code(cell)?;
        let stub = |target| {
            let byte = |at| self.0.read(target + at);
            target % 8 == 0 && byte(0) == Some(0xff) && byte(1) == Some(0x25)
        };
        let from = |address| cell.function(address).map(|(_, start)| start);
        for _ in 0..TRIES {
            let last = len.saturating_sub(PIECE).max(1);
            let piece = start + at.unwrap_or_else(|| random.below(last)).min(last);
            let end = (piece + PIECE).min(start + len);
            let code: Option<Vec<u8>> = (piece..end).map(|at| self.0.read(at)).collect();
            let inside = |target: i64| {
                let target = piece.wrapping_add_signed(target as isize);
                (start..start + len).contains(&target).then_some(target)
            };
            let entry = |target| inside(target).is_some_and(|at| stub(at) || from(at) == Some(at));
            let near = |at: usize, target| {
                inside(target).is_some_and(|target| from(piece + at) == from(target))
            };
            let found: Vec<(usize, usize)> = skippable(&code?, entry, near).collect();
            if found.is_empty() && at.is_some() {
                return None;
            }
            if found.is_empty() {
                continue;
            }
            let chosen = at.map_or_else(|| random.below(found.len()), |_| 0);
            let (offset, length) = found[chosen];
            let at = piece + offset;
            let done = (at..at + length).all(|at| self.0.write(at, NOP));
            return done.then(|| format!("{length} bytes skipped at {}\n", place(at)));
        }
        None
    }

    /// A bit, or `bytes` random ones, of the writable pages.
    fn data(&self, cell: &Loaded, random: &mut Random, bytes: usize) -> Option<String> {
        let [_, (start, len)] = self.0.parts(cell);
        match bytes {
            1 => self.flip(start + random.below(len), random),
            _ => self.word(start + random.below(len / 8) * 8, random),
        }
    }

    fn word(&self, at: usize, random: &mut Random) -> Option<String> {
        let word = random.next().to_le_bytes();
        let done = (at..).zip(word).all(|(at, byte)| self.0.write(at, byte));
        done.then(|| format!("eight bytes at {}\n", place(at)))
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
            *byte = self.0.read(at)?;
        }
        let target = u64::from_le_bytes(word) as usize;
        let follows = random.below(2) == 1 && target % 8 == 0 && self.0.is_heap(target);
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
