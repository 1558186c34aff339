//! Where the events come from that a rule is asked of.

use super::{Choice, api};
use crate::Feeds;
use crate::capture_file::{self, CaptureFile};
use crate::occurrence::Occurrence;
use anyhow::Context;
use capture::{Entry, RuleFile};
use detection::Engine;
use event_model::Host;
use rule_cases::{read_acts, read_cases};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Larger files are no events.
const MAXIMUM_FILE_BYTES: u64 = 64 << 20;

/// What is asked, on which host, by which rules.
pub struct Input {
    /// None: those that come with the events.
    pub rules: Option<Engine>,
    pub host: Host,
    pub items: Items,
}

/// In their order.
pub type Items = Box<dyn Iterator<Item = anyhow::Result<Item>>>;

pub enum Item {
    /// What follows was asked these rules.
    Rules(Vec<RuleFile>),
    /// An event and its number.
    Event(u64, Occurrence),
}

/// Reads a file of whichever kind it is.
pub fn read(
    path: &Path,
    rules: &[PathBuf],
    feeds: &Feeds,
    choice: Option<Choice>,
) -> anyhow::Result<Input> {
    let own = if rules.is_empty() { None } else { Some(feeds.load(rules)?) };
    if capture_file::is_one(path)? {
        return of_capture(path, own, choice);
    }
    if own.is_none() {
        anyhow::bail!("name the rules with --rules: {} holds none", path.display());
    }
    let text = read_text(path)?;
    let events = match values(&text) {
        Some(values) => api::events(&values, choice)
            .with_context(|| path.display().to_string())
            .map_err(|error| anyhow::anyhow!("{error:#}"))?,
        None => cases(path, &text)?,
    };
    let items = (1..).zip(events).map(|(number, event)| Ok(Item::Event(number, event)));
    Ok(Input { rules: own, host: Host::default(), items: Box::new(items) })
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let cannot = |error| anyhow::anyhow!("cannot read {}: {error}", path.display());
    if std::fs::metadata(path).map_err(cannot)?.len() > MAXIMUM_FILE_BYTES {
        anyhow::bail!(
            "{} has over {MAXIMUM_FILE_BYTES} bytes: is it the right file?",
            path.display()
        );
    }
    std::fs::read_to_string(path).map_err(cannot)
}

/// The objects of a JSON file, one behind the other or in a list. None where it is no JSON, or holds cases.
fn values(text: &str) -> Option<Vec<Value>> {
    let values: Result<Vec<Value>, _> =
        serde_json::Deserializer::from_str(text).into_iter().collect();
    let flat: Vec<Value> = values.ok()?.into_iter().flat_map(flattened).collect();
    let is_case = |value: &Value| {
        value.get("what").or_else(|| value.get("alerts")).or_else(|| value.get("silent")).is_some()
    };
    (!flat.is_empty() && flat.iter().all(Value::is_object) && !flat.iter().any(is_case))
        .then_some(flat)
}

/// The members of a list, or of a page of the API.
fn flattened(mut value: Value) -> Vec<Value> {
    match value.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => match value {
            Value::Array(values) => values,
            other => vec![other],
        },
    }
}

fn cases(path: &Path, text: &str) -> anyhow::Result<Vec<Occurrence>> {
    let name = path.display().to_string();
    let cases = if text.lines().any(|line| line.starts_with("- rule:")) {
        let of_rules = read_cases(&name, text)?.into_iter();
        of_rules.flat_map(|cases| [cases.alerts, cases.silent].concat()).collect()
    } else {
        read_acts(&name, text)?
    };
    Ok(cases.into_iter().map(|case| Occurrence::Case(Box::new(case))).collect())
}

fn of_capture(path: &Path, own: Option<Engine>, choice: Option<Choice>) -> anyhow::Result<Input> {
    let capture = capture_file::open(path)?;
    let host = capture.head().host.clone();
    let items = Captured { capture, of_alert: choice, last: None };
    Ok(Input { rules: own, host, items: Box::new(items) })
}

/// The events of a capture; where one is chosen by its alert, that one alone.
struct Captured {
    capture: CaptureFile,
    of_alert: Option<Choice>,
    last: Option<(u64, Occurrence)>,
}

impl Iterator for Captured {
    type Item = anyhow::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let event = match self.capture.next()? {
                Ok(Entry::Rules(files)) => return Some(Ok(Item::Rules(files))),
                Ok(Entry::Act(act)) => (act.number, Occurrence::Act(act)),
                Ok(Entry::Request(request)) => (request.number, Occurrence::Request(request)),
                Ok(Entry::Alert(alert)) => match (self.of_alert, self.last.take()) {
                    (Some(Choice::Alert(id)), Some((number, event))) if id == alert.id => {
                        return Some(Ok(Item::Event(number, event)));
                    }
                    (_, last) => {
                        self.last = last;
                        continue;
                    }
                },
                Ok(Entry::End(_)) => return None,
                Err(error) => return Some(Err(error.into())),
            };
            let (number, event) = event;
            if !matches!(self.of_alert, Some(Choice::Alert(_))) {
                return Some(Ok(Item::Event(number, event)));
            }
            self.last = Some((number, event));
        }
    }
}
