//! Harmless attacks, performed for real in a container, and the alert that each must raise.

use crate::api::Api;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::time::Duration;

/// How long an alert may take before it counts as missing. The goal is 250 ms; this is not a measurement.
const ALERT_WITHIN: Duration = Duration::from_mins(1);

/// One act and what it must raise.
#[derive(Clone, Copy, Debug)]
pub struct Act {
    /// What it is, in a few words.
    pub name: &'static str,
    /// The rule that must match.
    pub rule: &'static str,
    /// The user in the container.
    user: &'static str,
    /// The command in the container.
    command: &'static [&'static str],
    /// Stands in the command line of the process that the alert is about.
    marker: &'static str,
}

/// The acts: at least one for each rule of ours.
pub const ACTS: [Act; 12] = [
    Act {
        name: "a shell that reads commands from a pipe",
        rule: "Shell in a container",
        user: "root",
        command: &["sh", "-c", "/bin/sh -s defender-shell; true"],
        marker: "-s defender-shell",
    },
    Act {
        name: "a program run from /tmp",
        rule: "Program run from a temporary directory in a container",
        user: "root",
        command: &["sh", "-c", "cp /bin/busybox /tmp/true; /tmp/true defender-tmp"],
        marker: "true defender-tmp",
    },
    Act {
        name: "a program run from memory (memfd)",
        rule: "Program run from memory",
        user: "root",
        command: &["acts", "memfd", "/bin/busybox", "true", "defender-memfd"],
        marker: "true defender-memfd",
    },
    Act {
        name: "a program that the image does not hold",
        rule: "Program that is not of the image",
        user: "root",
        command: &[
            "sh",
            "-c",
            "cp /bin/busybox /usr/local/bin/true; /usr/local/bin/true defender-drift",
        ],
        marker: "true defender-drift",
    },
    Act {
        name: "a miner by its name",
        rule: "Digital currency miner",
        user: "root",
        command: &["xmrig", "defender-miner-name"],
        marker: "defender-miner-name",
    },
    Act {
        name: "a miner by its arguments",
        rule: "Digital currency miner",
        user: "root",
        command: &[
            "true",
            "--donate-level=1",
            "-o",
            "stratum+tcp://127.0.0.1:3333",
            "defender-miner-arguments",
        ],
        marker: "defender-miner-arguments",
    },
    Act {
        name: "netcat that hands out a shell",
        rule: "Netcat that runs a program",
        user: "root",
        command: &["nc", "127.0.0.1", "1", "-e", "/bin/sh"],
        marker: "-e /bin/sh",
    },
    Act {
        name: "a package manager",
        rule: "Package manager in a container",
        user: "root",
        command: &["apk", "add", "defender-package"],
        marker: "defender-package",
    },
    Act {
        name: "download and run",
        rule: "Download and run",
        user: "root",
        command: &["sh", "-c", "wget -q -O- http://127.0.0.1:1/defender-download | sh"],
        marker: "defender-download",
    },
    Act {
        name: "a set-user-id shell",
        rule: "Set-user-id shell",
        user: "web",
        command: &["/tmp/sh", "-c", ": defender-setuid"],
        marker: "defender-setuid",
    },
    Act {
        name: "a Kubernetes client",
        rule: "Kubernetes client tool in a container",
        user: "root",
        command: &["kubectl", "get", "secrets", "defender-kubectl"],
        marker: "defender-kubectl",
    },
    Act {
        name: "password hashes that are read",
        rule: "Sensitive file read",
        user: "root",
        command: &["sh", "-c", "cat /tmp/../etc/shadow defender-shadow; true"],
        marker: "etc/shadow defender-shadow",
    },
];

/// Where acts are performed: a container, whoever made it.
pub trait Target {
    /// The container's id.
    fn id(&self) -> &str;

    /// Runs a command in it as `root` or `web`, as `docker exec` does, and waits for its end.
    /// The command's own failure is no error.
    fn exec(&self, user: &str, command: &[&str]) -> Result<()>;
}

/// An act and the alert that it raised.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub act: Act,
    /// The alert, as the API gives it.
    pub alert: Value,
}

impl Outcome {
    /// Milliseconds from the kernel's record of the act to the alert's arrival in the backend's store.
    pub fn milliseconds(&self) -> Result<f64> {
        let time = |key: &str| {
            let text =
                self.alert[key].as_str().with_context(|| format!("the alert has no {key}"))?;
            nanoseconds_of_day(text)
        };
        Ok((time("received_at")? - time("time")?) / 1e6)
    }
}

/// Nanoseconds since midnight of an RFC 3339 time in UTC; acts and their alerts are of one day but at midnight.
fn nanoseconds_of_day(text: &str) -> Result<f64> {
    let clock = text.split_once('T').and_then(|(_, clock)| clock.strip_suffix('Z'));
    let parts: Option<Vec<f64>> =
        clock.map(|clock| clock.split(':').filter_map(|part| part.parse().ok()).collect());
    match parts.as_deref() {
        Some([hours, minutes, seconds]) => Ok(((hours * 60.0 + minutes) * 60.0 + seconds) * 1e9),
        _ => bail!("{text:?} is not an RFC 3339 time in UTC"),
    }
}

/// Puts the set-user-id shell and a password file in their places, which takes root.
pub fn prepare(container: &dyn Target) -> Result<()> {
    let script = "cp /bin/busybox /tmp/sh && chmod 4755 /tmp/sh && echo root:x > /etc/shadow";
    container.exec("root", &["sh", "-c", script])
}

/// Performs an act and waits for its alert in the backend.
pub fn perform(act: Act, container: &dyn Target, api: &Api) -> Result<Outcome> {
    self::act(act, container)?;
    wait_for_alert_of(act, container, api)
}

/// Performs an act.
pub fn act(act: Act, container: &dyn Target) -> Result<()> {
    container.exec(act.user, act.command)
}

/// Waits for the alert of an act that was performed.
pub fn wait_for_alert_of(act: Act, container: &dyn Target, api: &Api) -> Result<Outcome> {
    let what = format!("the alert {:?} of {}", act.rule, act.name);
    let alert =
        api.wait_for_alert(&what, ALERT_WITHIN, |alert| is_of(alert, act, container.id()))?;
    Ok(Outcome { act, alert })
}

fn is_of(alert: &Value, act: Act, container: &str) -> bool {
    let commands = alert["process_chain"].as_array().and_then(|chain| chain.first());
    alert["rule"] == act.rule
        && alert["container"]["id"] == container
        && commands.is_some_and(|process| command_line(process).contains(act.marker))
}

/// A process's command line, as the API gives its arguments.
pub fn command_line(process: &Value) -> String {
    let arguments = process["arguments"].as_array().map(Vec::as_slice).unwrap_or_default();
    arguments.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_count_from_the_act_to_its_arrival() {
        let alert = serde_json::json!({
            "time": "2026-01-02T03:04:05.100000000Z",
            "received_at": "2026-01-02T03:04:05.142500000Z",
        });
        let outcome = Outcome { act: ACTS[0], alert };
        assert!((outcome.milliseconds().unwrap() - 42.5).abs() < 0.001);
    }
}
