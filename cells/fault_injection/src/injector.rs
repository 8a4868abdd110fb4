//! The provider: finds the place and does the damage.

use crate::choice::{Random, skippable};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use fault_injection_port::{INJECTOR, Injector};
use mod_mgmt::damage::Power;
use mod_mgmt::namespace::{Function, Loaded, NAMESPACE};
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
    fn inject(&self, cell: &str, kind: &str, seed: u64) -> Result<String, String> {
        let loaded = NAMESPACE
            .find(cell)
            .ok_or_else(|| format!("no cell `{cell}`; `cells --all` lists them\n"))?;
        let random = &mut Random(seed);
        let done = match kind {
            "text" => self.text(&loaded, random),
            "skip" => self.skip(&loaded, random),
            "data" => self.data(&loaded, random, 1),
            "word" => self.data(&loaded, random, 8),
            "state" => self.state(&loaded, random),
            _ => return Err(String::from("kinds are text, skip, data, word, state\n")),
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

    /// A bit of a function; each byte of code is as likely as any other.
    fn text(&self, cell: &Loaded, random: &mut Random) -> Option<String> {
        let function = function(cell, random)?;
        let at = cell.start + function.offset as usize + random.below(function.size as usize);
        self.flip(at, random)
    }

    /// A call or conditional jump of a function that has one.
    fn skip(&self, cell: &Loaded, random: &mut Random) -> Option<String> {
        let [(start, len), _] = self.0.parts(cell);
        for _ in 0..TRIES {
            let function = function(cell, random)?;
            let from = cell.start + function.offset as usize;
            let code: Option<Vec<u8>> = (from..from + function.size as usize)
                .map(|at| self.0.read(at))
                .collect();
            let is_entry = |target: i64| {
                let target = from as i64 + target;
                // A function of the cell, or one of the stubs behind them all.
                (start as i64..(start + len) as i64).contains(&target)
                    && is_start(cell, target as usize - cell.start)
            };
            let code = code?;
            let found: Vec<(usize, usize)> = skippable(&code, is_entry).collect();
            if found.is_empty() {
                continue;
            }
            let (offset, length) = found[random.below(found.len())];
            let at = from + offset;
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

/// A function, in proportion to its size.
fn function<'a>(cell: &'a Loaded, random: &mut Random) -> Option<&'a Function> {
    let all: usize = cell.functions.iter().map(|f| f.size as usize).sum();
    let mut at = random.below(all);
    cell.functions.iter().find(|function| {
        let inside = at < function.size as usize;
        at = at.wrapping_sub(function.size as usize);
        inside
    })
}

/// Whether a function, or a stub behind the last one, starts at this offset.
fn is_start(cell: &Loaded, offset: usize) -> bool {
    let starts = |f: &Function| f.offset as usize == offset;
    let last = cell.functions.last();
    let behind = last.is_some_and(|f| offset >= (f.offset + f.size) as usize && offset % 8 == 0);
    behind || cell.functions.iter().any(starts)
}

/// The function at an address, or the offset in the cell, for data.
fn place(address: usize) -> String {
    let Some(cell) = NAMESPACE.by_address(address) else {
        return format!("{address:#x}");
    };
    let offset = address - cell.start;
    let code = cell.functions.last();
    match NAMESPACE.describe(address) {
        Some(place) if code.is_some_and(|f| offset < (f.offset + f.size) as usize) => {
            format!("{address:#x} {place}")
        }
        _ => format!("{address:#x} {} + {offset:#x}", cell.name),
    }
}
