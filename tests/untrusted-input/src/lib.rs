//! What holds for every reader of bytes that others chose, whatever the bytes are.
//!
//! Each function takes any bytes, gives them to a reader as it is in our programs, and panics where one of its promises
//! does not hold. `fuzz/` looks for such bytes (docs/testing.md says how); the test of this crate replays what it kept.

mod audit;
mod capture;
mod cgroup_path;
mod conditions;
mod dns;
mod enrolment;
mod envelope;
mod otlp;
mod packages;
mod proc_files;
mod record;
mod rules;
mod spool;

/// A reader by the name of its fuzz target.
pub type Reader = (&'static str, fn(&[u8]));

/// All of them.
pub const READERS: [Reader; 16] = [
    ("audit_line", audit::lines),
    ("audit_list", audit::list),
    ("capture", capture::file),
    ("cgroup_path", cgroup_path::path),
    ("condition", conditions::condition),
    ("credentials", enrolment::credentials),
    ("dns_parser", dns::packet),
    ("envelope", envelope::message),
    ("otlp_answer", otlp::answer),
    ("package_lists", packages::lists),
    ("proc_files", proc_files::file),
    ("record_decoder", record::record),
    ("rpm_database", packages::rpm_database),
    ("rule_file", rules::file),
    ("spool", spool::directory),
    ("tokens_file", enrolment::tokens_file),
];

/// Gives bytes to the reader of that name.
pub fn check(name: &str, bytes: &[u8]) {
    let Some((_, check)) = READERS.iter().find(|(reader, _)| *reader == name) else {
        panic!("there is no reader {name}");
    };
    check(bytes);
}
