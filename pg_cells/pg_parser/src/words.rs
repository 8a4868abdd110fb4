//! The words that [`normalize`](crate::normalize) knows, and what kind of token a
//! byte begins. Made for speed: each byte of every statement passes here.

/// What a byte is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Of a name or key word; may begin one. `$` may not, and is `Digit`'s like.
    Letter,
    /// A digit.
    Digit,
    /// White space.
    Blank,
    /// Anything else.
    Sign,
}

/// What a word says about the values around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A name, or a key word that is as good as one.
    Name,
    /// What follows it is not always a plain value: the statement is left alone.
    Unusual,
    /// A list of values follows.
    Values,
    /// No more lists of values.
    NoValues,
    /// The same, and no operand: a sign after it is one of a number.
    NoValuesOrOperand,
    /// No operand.
    NoOperand,
    /// BETWEEN.
    Between,
    /// AND.
    And,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Sign; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => Kind::Letter,
            b'0'..=b'9' => Kind::Digit,
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => Kind::Blank,
            _ => Kind::Sign,
        };
        byte += 1;
    }
    kinds
};

/// The kind of a byte.
#[inline(always)]
pub fn kind(byte: u8) -> Kind {
    KINDS[byte as usize]
}

/// A word in lower case as a number: no longer than 16 bytes.
const fn packed(word: &str) -> u128 {
    let bytes = word.as_bytes();
    let mut value = 0;
    let mut at = 0;
    while at < bytes.len() {
        value = value << 8 | bytes[at] as u128;
        at += 1;
    }
    value
}

/// The words by their numbers, so shorter ones first.
const WORDS: &[(u128, Role)] = &[
    (packed("in"), Role::Values),
    (packed("on"), Role::NoValues),
    (packed("or"), Role::NoOperand),
    (packed("and"), Role::And),
    (packed("not"), Role::NoOperand),
    (packed("row"), Role::Unusual),
    (packed("set"), Role::NoOperand),
    (packed("case"), Role::Unusual),
    (packed("cast"), Role::Unusual),
    (packed("date"), Role::Unusual),
    (packed("from"), Role::NoValues),
    (packed("like"), Role::Unusual),
    (packed("over"), Role::Unusual),
    (packed("time"), Role::Unusual),
    (packed("with"), Role::Unusual),
    (packed("array"), Role::Unusual),
    (packed("fetch"), Role::Unusual),
    (packed("group"), Role::Unusual),
    (packed("ilike"), Role::Unusual),
    (packed("limit"), Role::Unusual),
    (packed("order"), Role::Unusual),
    (packed("union"), Role::Unusual),
    (packed("where"), Role::NoValuesOrOperand),
    (packed("escape"), Role::Unusual),
    (packed("except"), Role::Unusual),
    (packed("having"), Role::Unusual),
    (packed("offset"), Role::Unusual),
    (packed("select"), Role::NoValuesOrOperand),
    (packed("values"), Role::Values),
    (packed("between"), Role::Between),
    (packed("collate"), Role::Unusual),
    (packed("extract"), Role::Unusual),
    (packed("similar"), Role::Unusual),
    (packed("distinct"), Role::Unusual),
    (packed("interval"), Role::Unusual),
    (packed("intersect"), Role::Unusual),
    (packed("returning"), Role::NoValues),
    (packed("timestamp"), Role::Unusual),
    (packed("timestamptz"), Role::Unusual),
];

/// The longest of them.
const LONGEST: usize = 11;

/// Where the words of each length begin in [`WORDS`].
const BY_LENGTH: [u8; LONGEST + 2] = {
    let mut begins = [0; LONGEST + 2];
    let mut length = 0;
    while length < LONGEST + 2 {
        let mut count = 0;
        while count < WORDS.len() && WORDS[count].0 >> (8 * (length - (length > 0) as usize)) == 0 {
            count += 1;
        }
        // Those shorter than `length`.
        begins[length] = if length == 0 { 0 } else { count as u8 };
        length += 1;
    }
    begins
};

/// Which bytes are part of a word that has begun.
const WITHIN: [bool; 256] = {
    let mut within = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        within[byte] = matches!(KINDS[byte], Kind::Letter | Kind::Digit) || byte == b'$' as usize;
        byte += 1;
    }
    within
};

/// The length and the role of the word that the bytes begin with.
#[inline]
pub fn word(bytes: &[u8]) -> (usize, Role) {
    let end = bytes.iter().position(|byte| !WITHIN[usize::from(*byte)]);
    let len = end.unwrap_or(bytes.len());
    // Most words are names, and most names are longer.
    if !(2..=LONGEST).contains(&len) {
        return (len, Role::Name);
    }
    (len, short(&bytes[..len]))
}

/// The role of a word that is no longer than the longest known one.
#[inline]
fn short(word: &[u8]) -> Role {
    let len = word.len();
    let (from, to) = (BY_LENGTH[len] as usize, BY_LENGTH[len + 1] as usize);
    // In two halves, as the machine has them. A letter's case is one bit; that
    // it is set in other bytes too makes nothing look like a letter.
    let (high, low) = word.split_at(len.saturating_sub(8));
    let fold = |half: &[u8]| {
        half.iter()
            .fold(0u64, |value, byte| value << 8 | u64::from(byte | 0x20))
    };
    let (high, low) = (fold(high), fold(low));
    let known = WORDS.get(from..to).unwrap_or_default();
    let found = known
        .iter()
        .find(|(number, _)| *number as u64 == low && (*number >> 64) as u64 == high);
    found.map_or(Role::Name, |(_, role)| *role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case() {
        assert_eq!(word(b"select a"), (6, Role::NoValuesOrOperand));
        assert_eq!(word(b"SeLeCT"), (6, Role::NoValuesOrOperand));
        assert_eq!(word(b"selects "), (7, Role::Name));
        assert_eq!(word(b"selec$"), (6, Role::Name));
        assert_eq!(word(b"timestamp_"), (10, Role::Name));
        assert_eq!(word(b"TIMESTAMPTZ("), (11, Role::Unusual));
        assert_eq!(word(b"timestamptzz"), (12, Role::Name));
        assert_eq!(word(b"a"), (1, Role::Name));
        assert_eq!(word(b"in("), (2, Role::Values));
        assert_eq!(word(b"aaaaaaaaaaaaaaaaselect"), (22, Role::Name));
        assert_eq!(word("\u{e4}in".as_bytes()), (4, Role::Name));
        for (number, role) in WORDS {
            let bytes = number.to_be_bytes();
            let start = bytes.iter().position(|b| *b != 0).unwrap();
            assert_eq!(word(&bytes[start..]).1, *role);
        }
        assert!(WORDS.windows(2).all(|two| two[0].0 < two[1].0));
    }
}
