//! The kernel's audit subsystem with Linux's audit daemon, with rules like those that hardening guides give.

use super::Watching;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use suite::deadline::wait_for;

const RULES: [&str; 5] = [
    "-b 8192",
    "-a always,exit -F arch=b64 -S execve,execveat",
    "-a always,exit -F arch=b64 -S connect",
    "-a always,exit -F dir=/etc -F perm=wa",
    "-a always,exit -F path=/etc/shadow -F perm=r",
];

/// Once auditing was on, the kernel prepares each new process for it until the machine starts anew, also where it is off
/// again, but for this rule. It stays behind, so that the bare works are bare.
const NEVER: &str = "-a never,task";

/// The kernel's thread that hands on what was audited.
const KERNEL_THREAD: &str = "kauditd";

/// Somebody else's auditing is not to be touched.
pub fn refusal() -> Result<Option<String>> {
    let status = match auditctl("-s") {
        Ok(status) => status,
        Err(error) => return Ok(Some(format!("{error:#}"))),
    };
    let rules = auditctl("-l")?;
    let is_free = status.starts_with("enabled 0") && ["No rules", NEVER].contains(&rules.trim());
    Ok((!is_free).then(|| "auditing is in use here".to_owned()))
}

pub fn start(folder: &Path) -> Result<Watching> {
    let output = folder.join("audit.log");
    write_configuration(folder, &output)?;
    let child = Command::new("auditd")
        .args(["-n", "-c"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting auditd")?;
    let is_heard = format!("pid {}", child.id());
    let pids = std::iter::once(child.id()).chain(pid_of(KERNEL_THREAD)).collect();
    let watching = Watching { child, pids, output, end };
    let begun = wait_for("the kernel talks to auditd", super::READY_WITHIN, || {
        let status = auditctl("-s")?;
        ensure!(status.lines().any(|line| line == is_heard), "{status}");
        Ok(())
    });
    let begun = begun.and_then(|()| {
        auditctl("-D")?;
        RULES.into_iter().try_for_each(|rule| auditctl(rule).map(drop))
    });
    if let Err(error) = begun {
        watching.stop()?;
        return Err(error);
    }
    Ok(watching)
}

fn end() -> Result<()> {
    for command in ["-D", "-e 0", NEVER] {
        auditctl(command)?;
    }
    Ok(())
}

fn write_configuration(folder: &Path, log: &Path) -> Result<()> {
    let plugins = folder.join("plugins");
    fs::create_dir_all(&plugins)?;
    let configuration = format!(
        "local_events = yes\nwrite_logs = yes\nlog_file = {}\nlog_format = RAW\nflush = INCREMENTAL_ASYNC\nfreq = 50\n\
         max_log_file_action = IGNORE\nspace_left = 75\nspace_left_action = IGNORE\nadmin_space_left = 50\n\
         admin_space_left_action = IGNORE\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\n\
         overflow_action = IGNORE\nplugin_dir = {}\n",
        log.display(),
        plugins.display()
    );
    let file = folder.join("auditd.conf");
    fs::write(&file, configuration)?;
    // It reads no file that others may write.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

fn auditctl(arguments: &str) -> Result<String> {
    let output = Command::new("auditctl").args(arguments.split(' ')).output()?;
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    ensure!(output.status.success(), "auditctl {arguments}: {}", told(&output.stderr));
    Ok(told(&output.stdout))
}

fn pid_of(name: &str) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
    })
}
