//! [`Str`]: the text of a datum. Short texts live inside it, long ones are shared.
//!
//! Cloning never copies more than 24 bytes. Reading the bytes costs nothing;
//! reading as `&str` checks at most 22 bytes of UTF-8, the price of having no
//! unsafe code here.

use alloc::string::String;
use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

/// Longest text that is kept inside the value.
pub const INLINE: usize = 22;

/// A text value: UTF-8, immutable, cheap to clone.
#[derive(Clone)]
pub struct Str(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Shared(Arc<str>),
}

impl Str {
    /// The empty text.
    pub const EMPTY: Str = Str(Repr::Inline {
        len: 0,
        bytes: [0; INLINE],
    });

    /// The text as bytes; free of cost.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(&[]),
            Repr::Shared(s) => s.as_bytes(),
        }
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // Always valid: `Str` is only ever made from a `str`, or after a check.
            Repr::Inline { .. } => core::str::from_utf8(self.as_bytes()).unwrap_or(""),
            Repr::Shared(s) => s,
        }
    }

    /// From bytes, checked to be UTF-8.
    pub fn from_utf8(bytes: &[u8]) -> Result<Str, core::str::Utf8Error> {
        core::str::from_utf8(bytes).map(Str::from)
    }
}

impl Default for Str {
    fn default() -> Str {
        Str::EMPTY
    }
}

impl From<&str> for Str {
    #[inline]
    fn from(s: &str) -> Str {
        if s.len() <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[..s.len()].copy_from_slice(s.as_bytes());
            Str(Repr::Inline {
                len: s.len() as u8,
                bytes,
            })
        } else {
            Str(Repr::Shared(Arc::from(s)))
        }
    }
}

impl From<String> for Str {
    fn from(s: String) -> Str {
        Str::from(s.as_str())
    }
}

impl From<&String> for Str {
    fn from(s: &String) -> Str {
        Str::from(s.as_str())
    }
}

impl From<Arc<str>> for Str {
    fn from(s: Arc<str>) -> Str {
        if s.len() <= INLINE {
            Str::from(&*s)
        } else {
            Str(Repr::Shared(s))
        }
    }
}

impl Deref for Str {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Str {}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Str) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Str) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Str {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As `str` hashes, so that maps keyed by `Str` can be asked with `&str`.
        self.as_str().hash(state);
    }
}

impl core::borrow::Borrow<str> for Str {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
