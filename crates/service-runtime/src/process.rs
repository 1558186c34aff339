//! The standard `process_*` metrics, read from `/proc` when they are asked for.

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeValLike;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// What this process uses, in the text format of Prometheus. `started` is when it began.
/// What cannot be read is left out.
pub(crate) fn metrics(started: SystemTime) -> String {
    let mut text = String::new();
    let mut add = |name: &str, kind: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
    };
    let since_epoch = started.duration_since(UNIX_EPOCH).ok();
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let (resident, of_mappings) = (kibibytes(&memory, "VmRSS:"), kibibytes(&memory, "VmSize:"));
    add("process_cpu_seconds_total", "counter", "CPU time used, in seconds.", cpu_seconds());
    add("process_resident_memory_bytes", "gauge", "Resident memory.", resident);
    add("process_virtual_memory_bytes", "gauge", "Size of all mappings.", of_mappings);
    add("process_open_fds", "gauge", "Open file descriptors.", open_files());
    add("process_max_fds", "gauge", "How many file descriptors may be open.", most_open_files());
    add("process_threads", "gauge", "Threads.", number(&memory, "Threads:"));
    add(
        "process_start_time_seconds",
        "gauge",
        "When the process began, in seconds since 1970.",
        since_epoch.map(|since| since.as_secs_f64()),
    );
    text
}

#[allow(clippy::cast_precision_loss)] // Microseconds of CPU time stay below 2^53 for 285 years.
fn cpu_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let both = usage.user_time() + usage.system_time();
    Some(both.num_microseconds() as f64 / 1e6)
}

fn kibibytes(status: &str, key: &str) -> Option<f64> {
    number(status, key).map(|kibibytes| kibibytes * 1024.0)
}

fn number(status: &str, key: &str) -> Option<f64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[allow(clippy::cast_precision_loss)] // Descriptors are far fewer than 2^53.
fn open_files() -> Option<f64> {
    // One of them is the directory that is being read.
    let listed = std::fs::read_dir("/proc/self/fd").ok()?.count();
    Some(listed.saturating_sub(1) as f64)
}

#[allow(clippy::cast_precision_loss)] // See above.
fn most_open_files() -> Option<f64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft as f64)
}

#[cfg(test)]
mod tests {
    use super::metrics;
    use std::time::SystemTime;

    #[test]
    fn a_process_tells_what_it_uses() {
        let text = metrics(SystemTime::now());
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
            let line = line.unwrap_or_else(|| panic!("no {name} in\n{text}"));
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 1e5);
        assert!(value("process_cpu_seconds_total") >= 0.0);
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_open_fds") <= value("process_max_fds"));
        assert!(value("process_start_time_seconds") > 1.6e9);
    }
}
