use super::{Hook, Probe, calls};
use crate::RecordKind;
use event_model::FileAct;

/// Acts on files.
pub const PROBES: &[Probe] = &[Probe {
    kind: RecordKind::File(FileAct::Open),
    hooks: &[
        Hook::Lsm { program: "file_open_lsm", hook: "file_open" },
        Hook::Function { program: "file_open_function", function: "security_file_open" },
        Hook::Calls {
            program: "file_open_call",
            calls: &[
                calls::OPEN,
                calls::CREAT,
                calls::OPENAT,
                calls::OPENAT2,
                calls::OPEN_BY_HANDLE_AT,
            ],
        },
    ],
}];
