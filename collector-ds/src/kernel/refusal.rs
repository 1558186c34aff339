//! Why a program does not run, told in the three states of coverage.

use aya::BtfError;
use aya::programs::ProgramError;
use event_model::ProbeState;
use std::io;

/// The call that the loader puts in place of an access to a field that the kernel does not have
/// (0xbad2310), as the verifier names it.
const MISSING_FIELD: &str = "unknown#195896080";

/// Of a verifier's log, which ends with the reason, so many lines.
const REASON_LINES: usize = 3;

/// Whether the kernel does not offer what the program needs, or should and failed; and why.
pub fn explain(error: &ProgramError) -> (ProbeState, String) {
    match error {
        ProgramError::Btf(BtfError::UnknownBtfTypeName { type_name }) => (
            ProbeState::Unsupported,
            format!("this kernel has no such tracepoint ({type_name} is not in its BTF)"),
        ),
        ProgramError::LoadError { io_error, verifier_log } => {
            explain_load(io_error, &verifier_log.to_string())
        }
        other => (ProbeState::Failed, other.to_string()),
    }
}

fn explain_load(error: &io::Error, log: &str) -> (ProbeState, String) {
    if log.contains(MISSING_FIELD) {
        let reason = "this kernel's types lack a field that the program reads".to_owned();
        return (ProbeState::Unsupported, reason);
    }
    let mut lines: Vec<&str> = log
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("processed "))
        .collect();
    let reason = lines.split_off(lines.len().saturating_sub(REASON_LINES)).join("; ");
    if !reason.is_empty() {
        return (ProbeState::Failed, format!("the verifier refused it ({error}): {reason}"));
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        let reason = "the kernel's policy forbids it, or CAP_SYS_ADMIN is missing".to_owned();
        return (ProbeState::Failed, format!("{error}: {reason}"));
    }
    (ProbeState::Failed, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    fn refused(errno: Errno, log: &str) -> (ProbeState, String) {
        explain_load(&io::Error::from(errno), log)
    }

    #[test]
    fn a_missing_tracepoint_is_unsupported() {
        let error = BtfError::UnknownBtfTypeName { type_name: "btf_trace_new".to_owned() };
        let (state, reason) = explain(&ProgramError::Btf(error));
        assert_eq!(state, ProbeState::Unsupported);
        assert!(reason.contains("btf_trace_new"), "{reason}");
    }

    #[test]
    fn a_missing_field_is_unsupported() {
        let (state, _) = refused(
            Errno::EINVAL,
            "12: (85) call unknown#195896080\ninvalid func unknown#195896080\n",
        );
        assert_eq!(state, ProbeState::Unsupported);
    }

    #[test]
    fn a_refusal_by_the_verifier_tells_its_last_lines() {
        let log =
            "0: R1=ctx\n1: a\n2: b\nR1 invalid mem access\nprocessed 3 insns (limit 1000000)\n\n";
        let (state, reason) = refused(Errno::EACCES, log);
        assert_eq!(state, ProbeState::Failed);
        assert!(reason.ends_with("1: a; 2: b; R1 invalid mem access"), "{reason}");
    }

    #[test]
    fn a_refusal_without_a_log_is_one_of_policy() {
        let (state, reason) = refused(Errno::EPERM, "");
        assert_eq!(state, ProbeState::Failed);
        assert!(reason.contains("policy"), "{reason}");
    }
}
