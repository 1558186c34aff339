//! Captures: what a sensor's rules were asked, and what they answered, in a file that replays to the same alerts.
//!
//! The file, numbers in little endian:
//!
//! ```text
//! "DEFCAP\x1a\n"  version: u32 = 1  frame*
//! frame = length: u32  checksum: u32 (CRC-32 of the entry, IEEE 802.3)  entry: length bytes
//! ```
//!
//! An entry is a `defender.v1.CaptureEntry` (proto/defender/v1/capture.proto). The first is the head; then come rules, and
//! acts and requests in the order in which rules were asked of them, each followed by the alerts that it raised. A
//! process or container stands before the first act that refers to it, by its number, and again where it changed: an act
//! is read back with exactly what was known then. The last entry tells why the capture ended; a capture that was broken
//! off has none, and is read as far as it goes.
//!
//! Nothing here opens a file: [`Encoder`] appends to memory, [`Reader`] reads from whatever can be read, [`replay()`] asks rules again.

mod encoder;
mod entry;
mod error;
mod frame;
mod reader;
mod replay;
#[cfg(test)]
mod tests;

pub use encoder::Encoder;
pub use entry::{CapturedAct, CapturedRequest, Entry, Head, RuleFile};
pub use error::CaptureError;
pub use reader::Reader;
pub use replay::{ReplayError, Replayed, Summary, Verdict, compile, replay};

/// The bytes that every capture begins with.
pub const MAGIC: [u8; 8] = *b"DEFCAP\x1a\n";

/// The version that this build writes, and the only one that it reads.
pub const VERSION: u32 = 1;
