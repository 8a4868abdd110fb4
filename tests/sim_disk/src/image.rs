//! What a disk holds: the last written, the durable, and the versions between.

use memory::DmaSlice;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What a power failure keeps whole.
pub const SECTOR: usize = 512;

/// A small random generator (SplitMix64; Steele, Lea, Flood 2014), for tests that
/// follow a seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, or 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next_u64() % limit.max(1)
    }
}

/// Images share what they have in common, in pieces of this many bytes.
const PIECE: usize = 16 << 10;

/// The content of a disk. Cloning it costs little.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    pieces: Vec<Arc<[u8; PIECE]>>,
    len: usize,
}

impl core::fmt::Debug for Image {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Image({} bytes)", self.len)
    }
}

impl Image {
    /// All zeros.
    #[must_use]
    pub fn blank(capacity: u64) -> Self {
        let len = capacity as usize;
        let zero = Arc::new([0; PIECE]);
        let pieces = (0..len.div_ceil(PIECE)).map(|_| Arc::clone(&zero));
        Image {
            pieces: pieces.collect(),
            len,
        }
    }

    /// Bytes of the disk.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        self.len as u64
    }

    /// A part of it.
    #[must_use]
    pub fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let mut out = Vec::with_capacity((range.end - range.start) as usize);
        let mut at = range.start as usize;
        while at < range.end as usize {
            let within = at % PIECE;
            let len = (PIECE - within).min(range.end as usize - at);
            out.extend_from_slice(&self.pieces[at / PIECE][within..within + len]);
            at += len;
        }
        out
    }

    /// Changes a part of it.
    pub fn put(&mut self, offset: usize, mut bytes: &[u8]) {
        let mut at = offset;
        while !bytes.is_empty() {
            let within = at % PIECE;
            let (here, rest) = bytes.split_at((PIECE - within).min(bytes.len()));
            let piece = Arc::make_mut(&mut self.pieces[at / PIECE]);
            piece[within..within + here.len()].copy_from_slice(here);
            at += here.len();
            bytes = rest;
        }
    }

    #[cfg(test)]
    fn byte(&self, at: u64) -> u8 {
        self.bytes(at..at + 1)[0]
    }
}

/// The medium and the volatile cache in front of it.
#[derive(Debug)]
pub(crate) struct Media {
    current: Image,
    durable: Image,
    /// By sector, the versions written since it was durable, oldest first.
    volatile: BTreeMap<usize, Vec<[u8; SECTOR]>>,
}

impl Media {
    pub(crate) fn new(image: Image) -> Self {
        Media {
            current: image.clone(),
            durable: image,
            volatile: BTreeMap::new(),
        }
    }

    pub(crate) fn current(&self) -> &Image {
        &self.current
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let start = offset as usize;
        self.current.put(start, bytes);
        for (at, sector) in bytes.as_chunks::<SECTOR>().0.iter().enumerate() {
            let versions = self.volatile.entry(start / SECTOR + at).or_default();
            versions.push(*sector);
        }
    }

    pub(crate) fn write_durable(&mut self, offset: u64, bytes: &[u8]) {
        let start = offset as usize;
        self.current.put(start, bytes);
        self.durable.put(start, bytes);
        for at in 0..bytes.len() / SECTOR {
            self.volatile.remove(&(start / SECTOR + at));
        }
    }

    pub(crate) fn flush(&mut self) {
        for (sector, versions) in core::mem::take(&mut self.volatile) {
            if let Some(last) = versions.last() {
                self.durable.put(sector * SECTOR, last);
            }
        }
    }

    /// A write that ends with an error: of each sector the old or the new.
    pub(crate) fn write_in_part(&mut self, offset: u64, bytes: &[u8], random: &mut Random) {
        for (at, sector) in bytes.as_chunks::<SECTOR>().0.iter().enumerate() {
            if random.below(2) == 0 {
                self.write(offset + (at * SECTOR) as u64, sector);
            }
        }
    }

    /// A flush that ends with an error: some of what was volatile will never be
    /// durable, though it can be read until the power fails.
    pub(crate) fn lose_some(&mut self, random: &mut Random) {
        self.volatile.retain(|_, _| random.below(2) == 0);
    }

    pub(crate) fn damage(&mut self, offset: u64, bytes: &[u8]) {
        self.current.put(offset as usize, bytes);
        self.durable.put(offset as usize, bytes);
    }

    /// One seed in eight loses everything volatile, one keeps everything; the
    /// others choose by sector.
    pub(crate) fn power_cut(&self, seed: u64) -> Image {
        let mut random = Random::new(seed);
        let mood = random.below(8);
        let mut image = self.durable.clone();
        for (sector, versions) in &self.volatile {
            let kept = match mood {
                0 => 0,
                1 => versions.len(),
                _ => random.below(versions.len() as u64 + 1) as usize,
            };
            if let Some(version) = kept.checked_sub(1).and_then(|k| versions.get(k)) {
                image.put(sector * SECTOR, version);
            }
        }
        image
    }
}

/// The bytes a device takes from memory.
#[must_use]
pub fn copy_from(data: &DmaSlice) -> Vec<u8> {
    // SAFETY: the slice keeps its memory alive, and whoever submitted the
    // request leaves the bytes alone until it is done.
    unsafe { core::slice::from_raw_parts(data.as_ptr().as_ptr(), data.len()) }.to_vec()
}

/// The bytes a device puts into memory.
pub fn copy_to(bytes: &[u8], data: &DmaSlice) {
    let len = bytes.len().min(data.len());
    // SAFETY: both are at least `len` bytes long; the slice keeps its memory alive,
    // and whoever submitted the request leaves the bytes alone until it is done.
    unsafe {
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), data.as_ptr().as_ptr(), len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_durable_survives_and_the_volatile_is_torn_by_sector() {
        let mut media = Media::new(Image::blank(8192));
        media.write_durable(0, &[1; 1024]);
        media.write(0, &[2; 1024]);
        media.write(0, &[3; 512]);
        media.write(1024, &[9; 512]);
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let image = media.power_cut(seed);
            seen.insert((image.byte(0), image.byte(512), image.byte(1024)));
            assert_eq!(image.byte(0), image.byte(511));
        }
        assert_eq!(seen.len(), 3 * 2 * 2);
        media.flush();
        assert_eq!(media.power_cut(5), *media.current());
        // A failed flush may lose what was not durable.
        media.write(2048, &[7; 512]);
        let mut random = Random::new(1);
        (0..64).for_each(|_| media.lose_some(&mut random));
        media.flush();
        assert_eq!(media.current().byte(2048), 7);
        assert!((0..20).all(|seed| media.power_cut(seed).byte(2048) == 0));
        // A forced write ends what was volatile before it.
        media.write(0, &[4; 512]);
        media.write_durable(0, &[5; 512]);
        assert!((0..20).all(|seed| media.power_cut(seed).byte(0) == 5));
    }
}
