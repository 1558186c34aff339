use crate::DecodeError;

/// Takes fields off the front of a record, in order.
pub struct Fields<'record> {
    rest: &'record [u8],
}

impl<'record> Fields<'record> {
    pub const fn new(record: &'record [u8]) -> Self {
        Self { rest: record }
    }

    pub fn take(&mut self, length: usize) -> Result<&'record [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::TooShort { wanted: length, left: self.rest.len() })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::TooShort { wanted: LENGTH, left: self.rest.len() })?;
        self.rest = rest;
        Ok(*taken)
    }

    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_ne_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_ne_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_ne_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_ne_bytes)
    }

    /// Fails where bytes are left that no field accounts for.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::LeftOver { bytes: self.rest.len() })
        }
    }
}
