//! Writes records as the kernel programs do, for tests of the decoder.

use crate::layout::{
    CGROUP_SIZE, EXEC_DETACHED, EXEC_OUTSIDE_ROOT, EXEC_SIZE, EXEC_UPPER_LAYER, EXIT_SIZE,
    FORK_SIZE, HEADER_SIZE, NAME_SIZE, NO_LOGIN_UID, OUTCOME_SIZE,
};
use crate::{CgroupKey, CgroupRecord, ExecRecord, KernelRecord};
use event_model::{ExitStatus, ProcessKey, Timestamp};

/// Encodes a record that is not truncated.
pub fn encode(record: &KernelRecord) -> Vec<u8> {
    let (flags, body, fixed_size) = match record {
        KernelRecord::Exec(exec) => (exec_flags(exec), exec_body(exec), EXEC_SIZE),
        KernelRecord::Fork(fork) => {
            let mut body = Body::default();
            body.key(fork.creator).key(fork.parent).key(fork.child);
            body.cgroup(fork.creator_cgroup).cgroup(fork.cgroup);
            body.u32(fork.namespace_pid).u32(0);
            (0, body, FORK_SIZE)
        }
        KernelRecord::Exit(exit) => {
            let mut body = Body::default();
            body.key(exit.process).cgroup(exit.cgroup);
            body.u32(raw_exit_code(exit.status)).u32(0);
            (0, body, EXIT_SIZE)
        }
        KernelRecord::CgroupMade(cgroup) | KernelRecord::CgroupRemoved(cgroup) => {
            (0, cgroup_body(cgroup), CGROUP_SIZE)
        }
        KernelRecord::Outcome(outcome) => {
            let mut body = Body::default();
            body.u64(outcome.result.cast_unsigned()).u32(outcome.thread).u32(outcome.call);
            (0, body, OUTCOME_SIZE)
        }
        KernelRecord::Act(_) => unreachable!("acts have encoders of their own"),
    };
    assert_eq!(body.fixed.len() + HEADER_SIZE, fixed_size);
    let mut whole = Body::default();
    whole.u16(record.kind().number()).u16(flags);
    whole.u32((fixed_size + body.parts.len()).try_into().unwrap()).u64(record.time().0);
    [whole.fixed, body.fixed, body.parts].concat()
}

#[derive(Default)]
struct Body {
    fixed: Vec<u8>,
    parts: Vec<u8>,
}

impl Body {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.fixed.extend_from_slice(bytes);
        self
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    fn key(&mut self, key: ProcessKey) -> &mut Self {
        self.u64(key.start_time).u32(key.pid).u32(0)
    }

    fn cgroup(&mut self, cgroup: CgroupKey) -> &mut Self {
        self.u64(cgroup.id).u32(cgroup.hierarchy).u32(0)
    }

    /// Appends a part; its length is the difference of [`Self::parts`]' lengths.
    fn part(&mut self, bytes: &[u8]) -> usize {
        self.parts.extend_from_slice(bytes);
        bytes.len()
    }
}

fn exec_flags(exec: &ExecRecord) -> u16 {
    let mut flags = 0;
    if exec.executable.upper_layer {
        flags |= EXEC_UPPER_LAYER;
    }
    if exec.executable.memfd {
        flags |= EXEC_DETACHED;
    }
    if exec.outside_root {
        flags |= EXEC_OUTSIDE_ROOT;
    }
    flags
}

fn exec_body(exec: &ExecRecord) -> Body {
    let mut body = Body::default();
    let file = &exec.executable;
    let who = &exec.credentials;
    body.key(exec.process).key(exec.parent.unwrap_or_default()).cgroup(exec.cgroup);
    body.u64(file.inode).u64(seconds(file.changed_at)).u64(seconds(file.modified_at));
    body.u64(who.capabilities_effective).u64(who.capabilities_permitted);
    body.u32(nanoseconds(file.changed_at)).u32(nanoseconds(file.modified_at));
    body.u32(file.device).u32(file.mode).u32(file.owner).u32(u32::from(!file.unlinked));
    body.u32(who.uid).u32(who.euid).u32(who.gid).u32(who.egid);
    body.u32(who.login_uid.unwrap_or(NO_LOGIN_UID)).u32(exec.namespace_pid);
    let mut name = [0; NAME_SIZE];
    name[..exec.name.len()].copy_from_slice(exec.name.as_bytes());
    body.bytes(&name).u32(exec.arguments_length);

    let lengths = [
        body.part(&upwards(&file.path)),
        body.part(&upwards(&exec.working_directory)),
        body.part(&terminated(&file.invoked_as)),
        exec.terminal.as_ref().map_or(0, |terminal| body.part(&terminated(terminal))),
    ];
    for length in lengths {
        body.u16(length.try_into().unwrap());
    }
    let arguments: Vec<u8> = exec.arguments.iter().flat_map(|one| terminated(one)).collect();
    let arguments_length = body.part(&arguments);
    let environment_length = match &*exec.environment {
        "" => 0,
        environment => body.part(&terminated(environment)),
    };
    body.u32(arguments_length.try_into().unwrap());
    body.u32(environment_length.try_into().unwrap()).u32(exec.process_group);
    body
}

fn cgroup_body(cgroup: &CgroupRecord) -> Body {
    let mut body = Body::default();
    body.cgroup(cgroup.cgroup);
    let length = body.part(&terminated(&cgroup.path));
    body.u32(length.try_into().unwrap()).u32(0);
    body
}

fn raw_exit_code(status: ExitStatus) -> u32 {
    u32::from(status.code) << 8 | u32::from(status.core_dumped) << 7 | u32::from(status.signal)
}

fn seconds(time: Timestamp) -> u64 {
    time.0 / 1_000_000_000
}

fn nanoseconds(time: Timestamp) -> u32 {
    (time.0 % 1_000_000_000).try_into().unwrap()
}

fn terminated(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// The components of a path, the last one first.
fn upwards(path: &str) -> Vec<u8> {
    path.split('/').rev().filter(|component| !component.is_empty()).flat_map(terminated).collect()
}
