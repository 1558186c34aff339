//! The numbers of `bpf/record.h`.

/// `sizeof(struct record_header)`.
pub const HEADER_SIZE: usize = 16;
/// `NO_CALL` of `struct act_head`.
pub const NO_CALL: u32 = u32::MAX;
/// `ACT_RESULT_KNOWN`
pub const ACT_RESULT_KNOWN: u16 = 1;
/// `ACT_RESULT_FOLLOWS`
pub const ACT_RESULT_FOLLOWS: u16 = 1 << 1;
/// `sizeof(struct exec_record)`.
#[cfg(test)]
pub const EXEC_SIZE: usize = 192;
/// `sizeof(struct fork_record)`.
#[cfg(test)]
pub const FORK_SIZE: usize = 104;
/// `sizeof(struct exit_record)`.
#[cfg(test)]
pub const EXIT_SIZE: usize = 56;
/// `sizeof(struct cgroup_record)`.
#[cfg(test)]
pub const CGROUP_SIZE: usize = 40;

/// `sizeof(struct outcome_record)`.
#[cfg(test)]
pub const OUTCOME_SIZE: usize = 32;

/// Length of `exec_record.name`.
pub const NAME_SIZE: usize = 16;

/// A login uid of nobody.
pub const NO_LOGIN_UID: u32 = u32::MAX;

/// `EXEC_UPPER_LAYER`
pub const EXEC_UPPER_LAYER: u16 = 1;
/// `EXEC_DETACHED`
pub const EXEC_DETACHED: u16 = 1 << 1;
/// `EXEC_OUTSIDE_ROOT`
pub const EXEC_OUTSIDE_ROOT: u16 = 1 << 2;
/// `EXEC_PATH_TRUNCATED`
pub const EXEC_PATH_TRUNCATED: u16 = 1 << 3;
/// `EXEC_DIRECTORY_TRUNCATED`
pub const EXEC_DIRECTORY_TRUNCATED: u16 = 1 << 4;
