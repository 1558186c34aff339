//! bpftrace, with a script that does by tracepoints what its own opensnoop, execsnoop and tcpconnect do.

use super::Watching;
use anyhow::{Context, Result};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

/// The beginning of a call has its arguments, the end its result.
const SCRIPT: &str = r#"
tracepoint:syscalls:sys_enter_openat /strncmp(str(args->filename), "/etc/", 5) == 0/ { @path[tid] = args->filename; }
tracepoint:syscalls:sys_exit_openat /@path[tid]/ {
    printf("open %d %s %d %s\n", pid, comm, args->ret, str(@path[tid]));
    delete(@path[tid]);
}
tracepoint:sched:sched_process_exec { printf("exec %d %s %s\n", pid, comm, str(args->filename)); }
tracepoint:syscalls:sys_enter_connect { @socket[tid] = args->fd; }
tracepoint:syscalls:sys_exit_connect /@socket[tid]/ {
    printf("connect %d %s %d %d\n", pid, comm, @socket[tid], args->ret);
    delete(@socket[tid]);
}
"#;

/// It finds tracepoints in tracefs, which not every machine has mounted: its own mount namespace then has.
const MOUNT: &str =
    "mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing || exit";

pub fn refusal() -> Result<Option<String>> {
    let look = format!("{MOUNT}; ls -d /sys/kernel/tracing/events/syscalls/sys_exit_openat");
    let looked = in_own_mounts(&look).output().context("starting unshare")?;
    let why = String::from_utf8_lossy(&looked.stderr).trim().to_owned();
    Ok((!looked.status.success()).then_some(why))
}

pub fn start(folder: &Path) -> Result<Watching> {
    let output = folder.join("bpftrace.out");
    let file = File::options().create(true).append(true).open(&output)?;
    let child = in_own_mounts(&format!("{MOUNT}; exec bpftrace -q -e \"$0\""))
        .arg(SCRIPT)
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context("starting bpftrace")?;
    // Each program takes the place of the one before it: unshare, the shell, bpftrace.
    let pids = vec![child.id()];
    Ok(Watching { child, pids, output, end: || Ok(()) })
}

fn in_own_mounts(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).stdin(Stdio::null());
    command
}
