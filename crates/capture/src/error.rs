use proto::{BatchError, ConversionError, MAXIMUM_ENTRY_BYTES};

/// Why a capture can't be read, or not further.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum CaptureError {
    #[error("this is no capture: it does not begin as what `collector-ds --record` writes")]
    NoCapture,
    #[error("the capture is of version {found}, this program reads version {}", crate::VERSION)]
    Version { found: u32 },
    #[error("the capture begins without its head")]
    NoHead,
    #[error("cannot read the capture at byte {offset}: {source}")]
    Unreadable { offset: u64, source: std::io::Error },
    #[error("the capture is torn: the entry at byte {offset} is not whole")]
    Torn { offset: u64 },
    #[error(
        "the capture is corrupt: the entry at byte {offset} would have {length} bytes, over {MAXIMUM_ENTRY_BYTES}"
    )]
    Length { offset: u64, length: u32 },
    #[error("the capture is corrupt: the entry at byte {offset} does not match its checksum")]
    Checksum { offset: u64 },
    #[error("the capture is corrupt: the entry at byte {offset}: {source}")]
    Undecodable { offset: u64, source: BatchError },
    #[error("the capture is corrupt: the entry at byte {offset}: {source}")]
    Wrong { offset: u64, source: ConversionError },
    #[error("the capture is corrupt: the entry at byte {offset} {what}")]
    Misplaced { offset: u64, what: String },
    #[error(
        "the capture was broken off at byte {offset}: whoever recorded was killed, or records still"
    )]
    BrokenOff { offset: u64 },
}

impl CaptureError {
    /// Whether all that there is could be read, and only the end is missing.
    pub const fn is_broken_off(&self) -> bool {
        matches!(self, Self::BrokenOff { .. })
    }
}
