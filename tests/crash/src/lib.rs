//! What the crash test is made of.
//!
//! # Why a file system of our own
//! A power cut takes what was written and not synced. A killed program does not show it: what it wrote is in the
//! kernel's cache and stays. dm-log-writes and dm-flakey are in few kernels, and lose whole blocks of a device, so
//! that most of what they show is the file system's own recovery; a library that is preloaded sees nothing of a
//! static binary, nor of a database that maps its files. A file system in user space ([`disk`]) sees every write,
//! fsync, fdatasync and rename of the very binaries that are released, and may forget whatever POSIX lets a disk
//! forget: any part of the content that was not synced, in any order, and any name whose folder was not.

pub mod collector;
pub mod disk;
mod file_system;
mod image;

pub use disk::Disk;
pub use image::Forgotten;
