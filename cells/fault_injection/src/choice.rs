//! Choosing: numbers from a seed, and instructions that can be recognised in
//! machine code without decoding all of it.

/// splitmix64 (Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 when that is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.next().checked_rem(limit as u64).unwrap_or(0) as usize
    }
}

/// The calls and conditional jumps in `code`, as offset and length: `E8 rel32`
/// whose target `is_entry`, and `0F 8x rel32` whose offset and target lie in one
/// function, as `is_near` has it. Targets count from the start of `code`. A run of
/// bytes that looks like one and is none has another target, as good as always.
pub(crate) fn skippable(
    code: &[u8],
    is_entry: impl Fn(i64) -> bool,
    is_near: impl Fn(usize, i64) -> bool,
) -> impl Iterator<Item = (usize, usize)> {
    (0..code.len()).filter_map(move |at| {
        let relative = |from: usize| {
            let bytes = code.get(from..from + 4)?;
            let rel = i32::from_le_bytes(bytes.try_into().ok()?);
            Some((from + 4) as i64 + i64::from(rel))
        };
        match (code[at], code.get(at + 1)) {
            (0xe8, _) if relative(at + 1).is_some_and(&is_entry) => Some((at, 5)),
            (0x0f, Some(0x80..=0x8f)) if relative(at + 2).is_some_and(|to| is_near(at, to)) => {
                Some((at, 6))
            }
            _ => None,
        }
    })
}

/// What four bytes of `code` name if they are an instruction's last and count from its
/// end, as references to data do nearly always. Targets count from the start of `code`.
pub(crate) fn references(code: &[u8]) -> impl Iterator<Item = i64> {
    code.windows(4).enumerate().map(|(at, bytes)| {
        let relative = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        (at + 4) as i64 + i64::from(relative)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_jumps_are_found() {
        // nop; call +0x100; je -7 (to 5 in 12 bytes); ret
        let code = [
            0x90, 0xe8, 0xfa, 0, 0, 0, 0x0f, 0x84, 0xf9, 0xff, 0xff, 0xff, 0xc3,
        ];
        let found: Vec<(usize, usize)> = skippable(
            &code,
            |target| target == 0x100,
            |at, target| (at, target) == (6, 5),
        )
        .collect();
        assert_eq!(found, [(1, 5), (6, 6)]);
        let none: Vec<(usize, usize)> = skippable(&code[..5], |_| true, |_, _| true).collect();
        assert_eq!(none, []);
    }

    #[test]
    fn references_count_from_the_end_of_the_instruction() {
        // jmp *0x1000(%rip), 6 bytes long
        let code = [0xff, 0x25, 0, 0x10, 0, 0];
        assert!(references(&code).any(|target| target == 0x1006));
        assert_eq!(references(&code[..3]).count(), 0);
    }

    #[test]
    fn a_seed_decides() {
        assert_eq!(Random(7).next(), Random(7).next());
        assert_eq!(Random(7).below(0), 0);
        assert!(Random(7).below(10) < 10);
    }
}
