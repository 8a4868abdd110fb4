//! Reading an archive: [`Archive`], its [`Entry`]s and what each [`Use`]s.
//!
//! `parse` checks every count, offset and string once, so that the accessors
//! cannot fail afterwards. It does not check the signature or the digests:
//! that is [`Archive::verify`] and [`Entry::is_intact`], and nothing may be
//! loaded without both.

use core::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use zerocopy::FromBytes;

use crate::PUBLIC_KEY_LEN;
use crate::layout::{
    DOMAIN, EntryKind, EntryRecord, FORMAT_VERSION, Header, MAGIC, StringRef, UseRecord,
};

/// Why bytes are not an archive, or not one to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveError {
    /// Shorter than its header or than the header says.
    Truncated,
    /// The first eight bytes are not [`MAGIC`].
    NotAnArchive,
    /// A format version this reader does not know.
    Version(u32),
    /// A count, offset, kind or string that does not fit; the number is the
    /// entry's index.
    Entry(u32),
    /// The table's parts do not add up to its length.
    Table,
    /// Signed with another key than the given one.
    OtherKey,
    /// The key is no ed25519 public key.
    BadKey,
    /// The signature does not match the table.
    BadSignature,
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the archive is truncated"),
            Self::NotAnArchive => f.write_str("not a cell archive"),
            Self::Version(version) => write!(f, "archive format {version} is unknown"),
            Self::Entry(index) => write!(f, "entry {index} of the archive is malformed"),
            Self::Table => f.write_str("the table of the archive is malformed"),
            Self::OtherKey => f.write_str("the archive is signed with another key"),
            Self::BadKey => f.write_str("the public key is malformed"),
            Self::BadSignature => f.write_str("the archive's signature does not match"),
        }
    }
}

impl core::error::Error for ArchiveError {}

/// A checked view of an archive's bytes.
#[derive(Clone, Copy)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    header: &'a Header,
    entries: &'a [EntryRecord],
    uses: &'a [UseRecord],
    strings: &'a str,
    table: &'a [u8],
}

impl<'a> Archive<'a> {
    /// Checks the layout of `bytes`. Bytes after the archive's own length are
    /// ignored (a boot loader may round up).
    ///
    /// # Errors
    /// Any [`ArchiveError`] except those about keys and signatures.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ArchiveError> {
        let (header, _) = Header::ref_from_prefix(bytes).map_err(|_| ArchiveError::Truncated)?;
        if header.magic != MAGIC {
            return Err(ArchiveError::NotAnArchive);
        }
        if header.version.get() != FORMAT_VERSION {
            return Err(ArchiveError::Version(header.version.get()));
        }
        let total = usize::try_from(header.total_len.get()).map_err(|_| ArchiveError::Truncated)?;
        let bytes = bytes.get(..total).ok_or(ArchiveError::Truncated)?;
        let table_len = usize::try_from(header.table_len.get()).map_err(|_| ArchiveError::Table)?;
        let table = bytes.get(..table_len).ok_or(ArchiveError::Table)?;
        let rest = table
            .get(size_of::<Header>()..)
            .ok_or(ArchiveError::Table)?;
        let (entries, rest) =
            <[EntryRecord]>::ref_from_prefix_with_elems(rest, count(header.entry_count.get())?)
                .map_err(|_| ArchiveError::Table)?;
        let (uses, rest) =
            <[UseRecord]>::ref_from_prefix_with_elems(rest, count(header.use_count.get())?)
                .map_err(|_| ArchiveError::Table)?;
        if rest.len() != count(header.strings_len.get())? {
            return Err(ArchiveError::Table);
        }
        let strings = core::str::from_utf8(rest).map_err(|_| ArchiveError::Table)?;
        let archive = Self {
            bytes,
            header,
            entries,
            uses,
            strings,
            table,
        };
        archive.check_records()?;
        Ok(archive)
    }

    fn check_records(&self) -> Result<(), ArchiveError> {
        for record in self.uses {
            if self.string(record.name).is_none() || record.kind.get() > 1 {
                return Err(ArchiveError::Table);
            }
        }
        for (index, record) in (0u32..).zip(self.entries) {
            let sound = EntryKind::from_raw(record.kind.get()).is_some()
                && self.string(record.name).is_some()
                && self.string(record.version).is_some()
                && self.payload(record).is_some()
                && self.uses(record).is_some();
            if !sound {
                return Err(ArchiveError::Entry(index));
            }
        }
        Ok(())
    }

    /// Checks that the holder of `public_key`'s secret half signed this table.
    ///
    /// # Errors
    /// `OtherKey`, `BadKey` or `BadSignature`.
    pub fn verify(&self, public_key: &[u8; PUBLIC_KEY_LEN]) -> Result<(), ArchiveError> {
        if self.header.key_hint != public_key[..8] {
            return Err(ArchiveError::OtherKey);
        }
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| ArchiveError::BadKey)?;
        let signature = Signature::from_bytes(&self.header.signature);
        key.verify_strict(&message(self.table, self.header), &signature)
            .map_err(|_| ArchiveError::BadSignature)
    }

    /// The entries, in dependency order: a cell comes after every cell whose
    /// symbols it needs.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'a>> + use<'a> {
        let archive = *self;
        self.entries.iter().map(move |record| archive.entry(record))
    }

    /// The entry of this kind and name.
    pub fn find(&self, kind: EntryKind, name: &str) -> Option<Entry<'a>> {
        self.entries()
            .find(|entry| entry.kind == kind && entry.name == name)
    }

    /// Where it comes from, such as a revision; may be empty.
    #[must_use]
    pub fn label(&self) -> &'a str {
        let label = &self.header.label;
        let end = label.iter().position(|byte| *byte == 0);
        let text = core::str::from_utf8(&label[..end.unwrap_or(label.len())]);
        text.unwrap_or_default()
    }

    /// Length of the archive in bytes, without what a boot loader appended.
    pub fn total_len(&self) -> usize {
        self.bytes.len()
    }

    fn entry(&self, record: &'a EntryRecord) -> Entry<'a> {
        // `parse` saw that each of these exists; the defaults are never taken.
        Entry {
            kind: EntryKind::from_raw(record.kind.get()).unwrap_or(EntryKind::Data),
            name: self.string(record.name).unwrap_or_default(),
            version: self.string(record.version).unwrap_or_default(),
            payload: self.payload(record).unwrap_or_default(),
            digest: &record.digest,
            fingerprint: record.fingerprint.get(),
            uses: Uses {
                records: self.uses(record).unwrap_or_default(),
                strings: self.strings,
            },
        }
    }

    fn string(&self, at: StringRef) -> Option<&'a str> {
        string_at(self.strings, at)
    }

    fn payload(&self, record: &EntryRecord) -> Option<&'a [u8]> {
        let start = usize::try_from(record.offset.get()).ok()?;
        let len = usize::try_from(record.len.get()).ok()?;
        self.bytes.get(start..start.checked_add(len)?)
    }

    fn uses(&self, record: &EntryRecord) -> Option<&'a [UseRecord]> {
        let start = usize::try_from(record.uses_first.get()).ok()?;
        let len = usize::try_from(record.uses_count.get()).ok()?;
        self.uses.get(start..start.checked_add(len)?)
    }
}

/// What is signed: the domain, and the digest of the table without its
/// signature.
pub(crate) fn message(table: &[u8], header: &Header) -> [u8; 56] {
    let mut unsigned = *header;
    unsigned.signature = [0; 64];
    let mut hash = Sha256::new();
    hash.update(zerocopy::IntoBytes::as_bytes(&unsigned));
    hash.update(table.get(size_of::<Header>()..).unwrap_or_default());
    let mut message = [0; 56];
    message[..24].copy_from_slice(DOMAIN);
    message[24..].copy_from_slice(&hash.finalize());
    message
}

fn count(raw: u32) -> Result<usize, ArchiveError> {
    usize::try_from(raw).map_err(|_| ArchiveError::Table)
}

fn string_at(strings: &str, at: StringRef) -> Option<&str> {
    let start = usize::try_from(at.offset.get()).ok()?;
    let len = usize::try_from(at.len.get()).ok()?;
    strings.get(start..start.checked_add(len)?)
}

/// One entry of an archive.
#[derive(Clone)]
pub struct Entry<'a> {
    /// What the payload is.
    pub kind: EntryKind,
    /// The crate's name; with `-VERSION` appended where an image holds several
    /// versions of one crate.
    pub name: &'a str,
    /// The package's version.
    pub version: &'a str,
    /// The bytes, on a 4,096-byte boundary of the archive.
    pub payload: &'a [u8],
    /// Digest of the payload, as signed.
    pub digest: &'a [u8; 32],
    /// The crate's own interface fingerprint; 0 for a crate that has none.
    pub fingerprint: u64,
    uses: Uses<'a>,
}

impl<'a> Entry<'a> {
    /// True when the payload is what was signed. Costs one pass over it.
    pub fn is_intact(&self) -> bool {
        crate::payload_digest(self.payload) == *self.digest
    }

    /// The workspace's ports and libraries this entry was compiled against,
    /// direct or not, sorted by name.
    pub fn uses(&self) -> Uses<'a> {
        self.uses.clone()
    }
}

/// What sort of crate is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseKind {
    /// A crate without a door: its code is linked.
    Library,
    /// A crate named `*_port`.
    Port,
}

/// An interface that a cell was compiled against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use<'a> {
    /// The crate's name.
    pub name: &'a str,
    /// Port or library.
    pub kind: UseKind,
    /// Its fingerprint at build time; the loaded crate must have the same.
    pub fingerprint: u64,
}

/// Iterator over [`Use`]s.
#[derive(Clone)]
pub struct Uses<'a> {
    records: &'a [UseRecord],
    strings: &'a str,
}

impl<'a> Iterator for Uses<'a> {
    type Item = Use<'a>;

    fn next(&mut self) -> Option<Use<'a>> {
        let (record, rest) = self.records.split_first()?;
        self.records = rest;
        Some(Use {
            name: string_at(self.strings, record.name).unwrap_or_default(),
            kind: if record.kind.get() == 1 {
                UseKind::Port
            } else {
                UseKind::Library
            },
            fingerprint: record.fingerprint.get(),
        })
    }
}
