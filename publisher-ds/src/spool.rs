//! The durable queue between the collectors and the backend.
//!
//! Each lane is a queue of segment files (`<directory>/<lane>/<number>.segment`), appended to at one end, read and
//! removed at the other. All work on the disk is done by one thread; the rest of the program talks to it through
//! [`Spool`].
//!
//! # Invariants
//! Each has a test in `store/`.
//! 1. An envelope that was acknowledged to a collector is handed out until the backend acknowledged it, whatever
//!    crashes in between, unless its loss is counted and reported.
//! 2. Within a lane, envelopes are handed out in the order in which they came.
//! 3. An envelope that comes twice is kept once, across restarts too.
//! 4. The segments never take more than `maximum_bytes` (a report of loss, for the moment until its room is made).
//!    Over it the least worthy lane loses its oldest segment, never one worthier than what came; a report of loss is
//!    as worthy as an alert. A lane that lost so rests for a second, and one report tells of what came meanwhile.
//! 5. Records that are lost are counted to the record, and the report of them is durable before the file is gone
//!    (on a full disk: as soon as there is room).
//! 6. A torn last write is cut off and costs nothing; damage elsewhere costs the damaged frames only, of which those
//!    that the backend has are not counted, and the damaged file is set aside. Wherever a crash cuts a mend short,
//!    nothing is taken for acknowledged that is not.
//! 7. A full or failing disk acknowledges nothing and loses nothing: collectors wait, and it goes on by itself.

mod carried_losses;
mod cursor;
mod directory;
mod frame;
mod handle;
mod lane_queue;
mod own_source;
mod recovery;
mod scan;
mod segment;
mod sources;
mod store;
mod worker;

pub use directory::{SpoolConfig, SpoolError};
pub use handle::{Closed, Outgoing, Spool};

pub use worker::SpoolState;
