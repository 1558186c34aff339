//! The durable queue between the collectors and the destinations, of which the backend is the first.
//!
//! Each lane is a queue of segment files (`<directory>/<lane>/<number>.segment`), appended to at one end, read and
//! removed at the other once every destination has it. Each destination reads at its own pace. All work on the disk is
//! done by one thread; the rest of the program talks to it through [`Spool`], and each destination through its
//! [`Outlet`].
//!
//! # Invariants
//! Each with the tests that hold it, in `store/model_tests.rs`, `store/tests/`, `worker/tests.rs`; `tests/crash` holds
//! the first six with real processes, kill -9 and power cuts.
//! 1. An envelope that was acknowledged to a collector is handed out to each destination until that acknowledged it,
//!    whatever crashes in between, unless its loss is counted and reported
//!    (`nothing_is_lost_doubled_or_reordered_while_there_is_room`, `each_destination_gets_everything_at_its_own_pace`,
//!    `a_segment_stays_until_the_slowest_destination_has_it`).
//! 2. Within a lane, envelopes are handed out in the order in which they came (the same).
//! 3. An envelope that comes twice is kept once, across restarts too
//!    (`a_batch_that_comes_again_is_kept_once_also_after_a_restart`).
//! 4. The segments never take more than `maximum_bytes` (a report of loss, for the moment until its room is made).
//!    Over it the least worthy lane loses its oldest segment, never one worthier than what came; a report of loss is
//!    as worthy as an alert. A lane that lost so rests for a second, and one report tells of what came meanwhile
//!    (`over_the_bound_the_least_worthy_lane_loses_its_oldest_segment_first`,
//!    `a_less_worthy_envelope_never_costs_a_worthier_one`,
//!    `a_spool_full_of_worthier_lanes_reports_what_it_drops_once_a_tick_and_counts_it_to_the_record`). Before that,
//!    while every destination that would lose something takes things, what comes waits, for as long as `patience`; an
//!    alert waits for nobody (`while_a_destination_takes_what_there_is_collectors_wait_and_nothing_is_dropped`,
//!    `where_nothing_drains_nobody_waits`, `alerts_wait_for_nobody`).
//! 5. Records that are lost are counted to the record, for each destination that had not got them, and the count is
//!    durable before the file is gone (on a full disk: as soon as there is room). The first destination's are told by
//!    `Loss` records in the stream, any other's by its name in the cursor, the metric and the publisher's status
//!    (`over_the_bound_and_with_age_every_lost_record_is_reported`,
//!    `what_another_destination_loses_is_counted_by_its_name_and_is_no_report_of_loss`).
//! 6. A last write that a crash cut short is cut off and costs nothing, with all that stands whole behind a hole in what
//!    was never synced; damage elsewhere costs the damaged frames only, of which those that a destination has are not
//!    counted for it, and the damaged file is set aside. Wherever a crash cuts a mend short, nothing is taken for
//!    acknowledged that is not (`wherever_the_last_write_was_torn_all_before_it_is_there_and_no_loss_is_reported`,
//!    `what_stands_whole_behind_a_hole_that_a_power_cut_left_is_cut_off_with_it`,
//!    `damaged_bytes_cost_the_frames_that_they_are_in_and_no_other`,
//!    `a_crash_between_a_mend_and_the_next_cursor_takes_nothing_for_settled_that_is_not`). What is synced is known by
//!    the cursor, some seconds late: damage to what came in the last of them before a crash passes for a torn write.
//! 7. A full, failing or read-only disk acknowledges nothing and loses nothing: collectors wait, and it goes on by
//!    itself (`tests/publisher/disk.rs`; `tests/crash/tests/failing_disk.rs`).
//! 8. What no destination took within `maximum_age` is dropped, counted and reported; no clock that is set, and no time
//!    in which the program did not run, makes anything old (`store/tests/age.rs`).
//!
//! A destination that is new begins at the oldest that is kept; one that is configured no more holds nothing back, and
//! begins so again should it come back.

mod carried_losses;
mod clock;
mod command;
mod cursor;
mod destinations;
mod directory;
mod frame;
mod handle;
mod inspection;
mod lane_queue;
mod outlet;
mod own_source;
mod recovery;
mod scan;
mod segment;
mod sources;
mod store;
mod worker;

pub use command::{answer, tool};
pub use destinations::{BACKEND, Subscription};
pub use directory::{SpoolConfig, SpoolError};
pub use handle::{Closed, Spool};
pub use lane_queue::Outgoing;
pub use outlet::Outlet;
pub use store::Store;
pub use worker::{DestinationState, SpoolState};
