//! What rules cost: rule sets over a million events of a real load.

use super::Setting;
use super::report::{Goal, Report};
use crate::{folders, step};
use anyhow::{Context, Result};
use serde_json::Value;
use std::process::Command;

/// A folder of rule files of others, which are not ours to keep here.
const OTHERS: &str = "DEFENDER_STOCK_RULES";

/// The goal of a thousand rules.
const NANOSECONDS: f64 = 1000.0;

pub fn run(setting: &Setting) -> Result<Report> {
    let binaries = &setting.binaries;
    let mut command = Command::new(binaries.join("rule-load"));
    command.arg("--rules").arg(folders::repository().join("rules"));
    command.arg("--acts").arg(binaries.join("acts"));
    let others = std::env::var_os(OTHERS);
    if let Some(folder) = &others {
        command.arg("--others").arg(folder);
    }
    let mut report = Report::default();
    for line in step::output(&mut command)?.lines() {
        add(&mut report, &serde_json::from_str(line)?)?;
    }
    if others.is_none() {
        report.note(format!("no rules of others: {OTHERS} names no folder of rule files"));
    }
    Ok(report)
}

fn add(report: &mut Report, told: &Value) -> Result<()> {
    let name = told["name"].as_str().context("a name")?;
    let number = |key: &str| told[key].as_f64().with_context(|| format!("{name}: no {key}"));
    if told.get("everything").is_some() {
        let (everything, of_rules) = (number("everything")?, number("told")?);
        report.add("events of one load, all told", everything, "events", Goal::None);
        report.add("the same, told what our rules look at", of_rules, "events", Goal::None);
        report.add("kept in the kernel", 100.0 * (1.0 - of_rules / everything), "%", Goal::None);
        return Ok(());
    }
    // Others' rules match much of what a node does: most of their time goes into alerts.
    let has_goal = ["ours", "1,000 synthetic"].contains(&name);
    let goal = if has_goal { Goal::AtMost(NANOSECONDS) } else { Goal::None };
    report.add(format!("{name}: rules"), number("rules")?, "rules", Goal::None);
    report.add(format!("{name}: an event"), number("nanoseconds")?, "ns", goal);
    report.add(format!("{name}: matches"), number("matches")?, "matches", Goal::None);
    report.add(format!("{name}: allocations"), number("allocations")?, "blocks", Goal::None);
    report.add(format!("{name}: over"), number("events")?, "events", Goal::None);
    Ok(())
}
