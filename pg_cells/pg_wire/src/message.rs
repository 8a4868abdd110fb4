//! Reading the bodies of messages.

use core::ffi::CStr;
use pg_types::{SqlError, SqlState};

/// What is left of a body.
pub struct Body<'a>(pub &'a [u8]);

/// 08P01: the body is not what its tag promises.
#[cold]
pub fn malformed() -> SqlError {
    SqlError::new(SqlState::PROTOCOL_VIOLATION, "invalid message format")
}

impl<'a> Body<'a> {
    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], SqlError> {
        match self.0.split_at_checked(n) {
            Some((head, rest)) => {
                self.0 = rest;
                Ok(head)
            }
            None => Err(malformed()),
        }
    }

    /// A byte.
    pub fn byte(&mut self) -> Result<u8, SqlError> {
        Ok(self.bytes(1)?[0])
    }

    /// A number of 16 bits.
    pub fn i16(&mut self) -> Result<i16, SqlError> {
        let b = self.bytes(2)?;
        Ok(i16::from_be_bytes([b[0], b[1]]))
    }

    /// A number of 32 bits.
    pub fn i32(&mut self) -> Result<i32, SqlError> {
        let b = self.bytes(4)?;
        Ok(i32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// A count of things that take at least `size` bytes each.
    pub fn count(&mut self, size: usize) -> Result<usize, SqlError> {
        let n = usize::try_from(self.i16()?).map_err(|_| malformed())?;
        match n * size <= self.0.len() {
            true => Ok(n),
            false => Err(malformed()),
        }
    }

    /// A text that ends with a zero byte.
    pub fn text(&mut self) -> Result<&'a str, SqlError> {
        if let [0, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok("");
        }
        let text = CStr::from_bytes_until_nul(self.0).map_err(|_| malformed())?;
        let text = text.to_bytes();
        self.0 = self.0.get(text.len() + 1..).unwrap_or_default();
        core::str::from_utf8(text).map_err(|e| not_utf8(text, e.valid_up_to()))
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), SqlError> {
        match self.0 {
            [] => Ok(()),
            _ => Err(malformed()),
        }
    }
}

#[cold]
fn not_utf8(text: &[u8], at: usize) -> SqlError {
    let byte = text.get(at).copied().unwrap_or(0);
    SqlError::new(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        alloc::format!("invalid byte sequence for encoding \"UTF8\": 0x{byte:02x}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_gives_no_more_than_it_has() {
        let mut body = Body(b"\x00\x02ab\0\xff");
        assert_eq!(body.i16().unwrap(), 2);
        assert_eq!(body.text().unwrap(), "ab");
        assert!(body.end().is_err());
        assert!(body.i16().is_err());
        assert_eq!(body.byte().unwrap(), 0xff);
        assert!(body.end().is_ok());
        assert!(Body(b"ab").text().is_err());
        assert!(Body(b"\xff\0").text().is_err());
        assert!(Body(b"\x00\x05aa").count(1).is_err());
        assert!(Body(b"\xff\xff").count(0).is_err());
    }
}
