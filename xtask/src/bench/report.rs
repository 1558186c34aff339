//! What a benchmark found: printed as a table and written for other programs to read.

use crate::folders;
use anyhow::Result;
use serde_json::{Value, json};
use std::fs;

/// A goal of a row.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// There is none: the row is there to compare with.
    None,
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn met(self, value: f64) -> Option<bool> {
        match self {
            Self::None => None,
            Self::AtMost(bound) => Some(value <= bound),
            Self::AtLeast(bound) => Some(value >= bound),
        }
    }

    fn text(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::AtMost(bound) => Some(format!("<= {bound}")),
            Self::AtLeast(bound) => Some(format!(">= {bound}")),
        }
    }
}

struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    goal: Goal,
}

/// Rows, in the order in which they were added.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    pub fn add(&mut self, what: impl Into<String>, value: f64, unit: &'static str, goal: Goal) {
        self.rows.push(Row { what: what.into(), value, unit, goal });
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds what stands below the table, such as why rows are missing.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Prints the table and writes target/bench/NAME.json.
    pub fn publish(&self, name: &str) -> Result<()> {
        println!("{:<64} {:>12} {:<12} {:<10} MET", "WHAT", "VALUE", "UNIT", "GOAL");
        for Row { what, value, unit, goal } in &self.rows {
            let met = goal.met(*value).map_or("", |met| if met { "yes" } else { "no" });
            println!(
                "{what:<64} {value:>12.2} {unit:<12} {:<10} {met}",
                goal.text().unwrap_or_default()
            );
        }
        for note in &self.notes {
            println!("{note}");
        }
        let folder = folders::repository().join("target/bench");
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{name}.json"));
        fs::write(&file, serde_json::to_string_pretty(&self.json())?)?;
        println!("written to {}", file.display());
        Ok(())
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|Row { what, value, unit, goal }| {
            json!({ "what": what, "value": value, "unit": unit, "goal": goal.text(), "met": goal.met(*value) })
        });
        json!({ "rows": rows.collect::<Vec<_>>(), "notes": self.notes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_goal_is_neither_met_nor_missed() {
        let mut report = Report::default();
        report.add("a", 1.0, "s", Goal::None);
        report.add("b", 1.0, "s", Goal::AtMost(0.5));
        let json = report.json();
        assert_eq!(json["rows"][0]["met"], Value::Null);
        assert_eq!(json["rows"][1]["met"], false);
    }
}
