//! What the sensor's programs cost by the hooks that a kernel offers: instructions of an emulated machine.

use super::Setting;
use super::report::{Goal, Report};
use crate::folders;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// The kernels of Debian's releases.
const SERIES: [&str; 3] = ["5.10", "6.1", "6.12"];

/// A set of hooks as the script names it, and as readers do.
const SETS: [(&str, &str); 3] =
    [("lsm", "security hooks"), ("function", "kernel functions"), ("calls", "end of calls")];

/// An act as the script names it, what it is, its goals by the better hooks and by the end of system calls.
const ACTS: [(&str, &str, Goal, Goal); 7] = [
    ("getpid", "getpid", Goal::AtMost(1.0), Goal::AtMost(1.12)),
    ("open", "open+close, unwatched", Goal::AtMost(1.10), Goal::AtMost(1.25)),
    ("write", "open+close for writing, watched", Goal::None, Goal::None),
    ("secret", "open+close, a watched secret", Goal::None, Goal::None),
    ("stat", "stat", Goal::AtMost(1.0), Goal::AtMost(1.12)),
    ("connect", "connect, refused", Goal::AtMost(1.10), Goal::AtMost(1.10)),
    ("exec", "fork+exec+exit", Goal::AtMost(1.05), Goal::AtMost(1.05)),
];

/// Instructions of one act, by what the script calls it: kernel, set of hooks, act, bare or sensed.
type Costs = BTreeMap<[String; 4], f64>;

/// Boots each kernel once for each set of hooks.
pub fn run(setting: &Setting) -> Result<Report> {
    let binaries = &setting.binaries;
    let mut script = Command::new("bash")
        .arg(folders::repository().join("tests/kernel-matrix/hooks.sh"))
        .arg(binaries)
        .args(SERIES)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting bash")?;
    let output = script.stdout.take().context("the script's output is a pipe")?;
    let mut costs = Costs::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        costs.extend(cost(&line));
    }
    ensure!(script.wait()?.success(), "tests/kernel-matrix/hooks.sh failed");
    report(&costs)
}

/// `cost SERIES HOOKS ACT bare|sensed INSTRUCTIONS`
fn cost(line: &str) -> Option<([String; 4], f64)> {
    let words: Vec<&str> = line.split(' ').collect();
    let ["cost", series, hooks, act, state, instructions] = words[..] else { return None };
    let key = [series, hooks, act, state].map(str::to_owned);
    Some((key, instructions.parse().ok()?))
}

fn report(costs: &Costs) -> Result<Report> {
    let mut report = Report::default();
    for series in SERIES {
        for (hooks, by) in SETS {
            for (act, what, better, calls) in ACTS {
                let find = |state: &str| {
                    let key = [series, hooks, act, state].map(str::to_owned);
                    costs.get(&key).copied()
                };
                let Some((bare, sensed)) = find("bare").zip(find("sensed")) else { continue };
                let goal = if hooks == "calls" { calls } else { better };
                let what = format!("{series}, {by}: {what}");
                report.add(format!("{what}: bare"), bare, "instructions", Goal::None);
                report.add(format!("{what}: sensed"), sensed, "instructions", Goal::None);
                report.add(format!("{what}: ratio"), rounded(sensed / bare), "x", goal);
            }
        }
    }
    ensure!(!report.is_empty(), "the script told no costs");
    Ok(report)
}

/// To hundredths, as goals are: the machine's interrupts alone make two runs differ by a few thousandths.
fn rounded(ratio: f64) -> f64 {
    (ratio * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_script_is_a_cost_and_others_are_none() {
        let (key, instructions) = cost("cost 6.12 lsm open sensed 6276").unwrap();
        assert_eq!(key, ["6.12", "lsm", "open", "sensed"].map(str::to_owned));
        assert!((instructions - 6276.0).abs() < f64::EPSILON);
        assert_eq!(cost("hook 6.12 lsm probe=\"open\""), None);
        assert_eq!(cost("cost 6.12 lsm open sensed much"), None);
    }

    #[test]
    fn costs_of_no_act_are_no_report() {
        assert!(report(&Costs::new()).is_err());
    }
}
