//! Making archives and symbol tables; host only (feature `write`).

use ed25519_dalek::{Signer, SigningKey};
use zerocopy::IntoBytes;

use crate::UseKind;
use crate::layout::{
    EntryKind, EntryRecord, FORMAT_VERSION, Header, MAGIC, PAYLOAD_ALIGN, StringRef, UseRecord,
};
use crate::read::message;
use crate::symbols::{FUNCTION, LINKABLE, SYMBOLS_MAGIC, SymbolHeader, SymbolRecord, hash_name};

/// An interface that an entry was compiled against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUse {
    /// The crate's name.
    pub name: String,
    /// Port or library.
    pub kind: UseKind,
    /// Its fingerprint.
    pub fingerprint: u64,
}

/// An entry to be.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// What the payload is.
    pub kind: EntryKind,
    /// The crate's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// Its own interface fingerprint, or 0.
    pub fingerprint: u64,
    /// What it was compiled against, sorted by name.
    pub uses: Vec<NewUse>,
    /// The bytes.
    pub payload: Vec<u8>,
}

/// Lays out and signs an archive. The order of the entries is kept.
///
/// # Panics
/// When a count or a string offset exceeds 32 bits.
pub fn archive(entries: &[NewEntry], secret_key: &[u8; 32]) -> Vec<u8> {
    labelled(entries, secret_key, "")
}

/// The same, with a label that says where it comes from; of a longer one the first
/// 16 bytes count.
///
/// # Panics
/// When a count or a string offset exceeds 32 bits.
pub fn labelled(entries: &[NewEntry], secret_key: &[u8; 32], label: &str) -> Vec<u8> {
    let key = SigningKey::from_bytes(secret_key);
    let mut strings = String::new();
    let mut uses = Vec::new();
    let mut records = Vec::new();
    for entry in entries {
        records.push(EntryRecord {
            kind: (entry.kind as u16).into(),
            reserved: 0.into(),
            uses_count: narrow(entry.uses.len()).into(),
            uses_first: narrow(uses.len()).into(),
            reserved2: 0.into(),
            name: intern(&mut strings, &entry.name),
            version: intern(&mut strings, &entry.version),
            offset: 0.into(),
            len: (entry.payload.len() as u64).into(),
            fingerprint: entry.fingerprint.into(),
            reserved3: 0.into(),
            digest: crate::payload_digest(&entry.payload),
        });
        for used in &entry.uses {
            uses.push(UseRecord {
                name: intern(&mut strings, &used.name),
                fingerprint: used.fingerprint.into(),
                kind: u32::from(used.kind == UseKind::Port).into(),
                reserved: 0.into(),
            });
        }
    }
    let table_len = size_of::<Header>()
        + size_of_val(records.as_slice())
        + size_of_val(uses.as_slice())
        + strings.len();
    let mut end = table_len;
    for (record, entry) in records.iter_mut().zip(entries) {
        end = end.next_multiple_of(PAYLOAD_ALIGN);
        record.offset = (end as u64).into();
        end += entry.payload.len();
    }
    let mut header = Header {
        magic: MAGIC,
        version: FORMAT_VERSION.into(),
        entry_count: narrow(records.len()).into(),
        use_count: narrow(uses.len()).into(),
        strings_len: narrow(strings.len()).into(),
        table_len: (table_len as u64).into(),
        total_len: (end as u64).into(),
        key_hint: [0; 8],
        label: [0; 16],
        signature: [0; 64],
    };
    for (place, byte) in header.label.iter_mut().zip(label.bytes()) {
        *place = byte;
    }
    header
        .key_hint
        .copy_from_slice(&key.verifying_key().as_bytes()[..8]);
    let mut out = Vec::with_capacity(end);
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(records.as_bytes());
    out.extend_from_slice(uses.as_bytes());
    out.extend_from_slice(strings.as_bytes());
    header.signature = key.sign(&message(&out, &header)).to_bytes();
    out[..size_of::<Header>()].copy_from_slice(header.as_bytes());
    for (record, entry) in records.iter().zip(entries) {
        out.resize(record.offset.get() as usize, 0);
        out.extend_from_slice(&entry.payload);
    }
    out
}

/// The public half of a secret key.
pub fn public_key(secret_key: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(secret_key)
        .verifying_key()
        .to_bytes()
}

/// A symbol to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSymbol {
    /// Its mangled name.
    pub name: String,
    /// Its virtual address.
    pub address: u64,
    /// Its size in bytes.
    pub size: u32,
    /// True for code.
    pub is_function: bool,
    /// True when cells may link to it.
    pub is_linkable: bool,
}

/// Two linkable names that hash alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashCollision(pub String, pub String);

/// Lays out a symbol table.
///
/// # Errors
/// When two different linkable names have one hash.
pub fn symbol_table(symbols: &[NewSymbol]) -> Result<Vec<u8>, HashCollision> {
    let mut order: Vec<&NewSymbol> = symbols.iter().collect();
    order.sort_by_key(|symbol| (hash_name(&symbol.name), !symbol.is_linkable, symbol.address));
    for pair in order.windows(2) {
        let both = pair[0].is_linkable && pair[1].is_linkable;
        if both && hash_name(&pair[0].name) == hash_name(&pair[1].name) {
            return Err(HashCollision(pair[0].name.clone(), pair[1].name.clone()));
        }
    }
    let mut strings = String::new();
    let mut records = Vec::new();
    for symbol in &order {
        let name = intern(&mut strings, &symbol.name);
        let flags =
            u16::from(symbol.is_linkable) * LINKABLE + u16::from(symbol.is_function) * FUNCTION;
        records.push(SymbolRecord {
            hash: hash_name(&symbol.name).into(),
            address: symbol.address.into(),
            size: symbol.size.into(),
            name_offset: name.offset,
            name_len: u16::try_from(symbol.name.len()).unwrap_or(u16::MAX).into(),
            flags: flags.into(),
            reserved: 0.into(),
        });
    }
    let mut by_address: Vec<u32> = (0..narrow(records.len())).collect();
    by_address.sort_by_key(|index| (order[*index as usize].address, order[*index as usize].size));
    let header = SymbolHeader {
        magic: SYMBOLS_MAGIC,
        count: narrow(records.len()).into(),
        strings_len: narrow(strings.len()).into(),
    };
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(records.as_bytes());
    out.extend(by_address.iter().flat_map(|index| index.to_le_bytes()));
    out.extend_from_slice(strings.as_bytes());
    Ok(out)
}

fn intern(strings: &mut String, text: &str) -> StringRef {
    let offset = narrow(strings.len()).into();
    strings.push_str(text);
    StringRef {
        offset,
        len: narrow(text.len()).into(),
    }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).expect("an archive has less than 2^32 of anything")
}
