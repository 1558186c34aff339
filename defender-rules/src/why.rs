//! The command `why`.

mod api;
mod input;

use crate::Feeds;
use crate::explain::unknown;
use crate::occurrence::Occurrence;
use crate::printable::printable;
use capture::ReplayError;
use clap::Args;
use detection::Engine;
use event_model::Host;
use input::{Input, Item, Items};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use uuid::Uuid;

/// Tells which parts of a rule's condition hold for an event, and which do not, with the values that they were asked of.
///
/// EVENT is a capture (what `collector-ds --record FILE` wrote), an alert or event as the backend's API gives it in JSON, a line of
/// `replay --output json`, or cases in YAML. Of several events the nearest to a match is explained, unless --event chooses one.
#[derive(Debug, Args)]
pub struct WhyCommand {
    /// The file that holds the event.
    event: PathBuf,
    /// The rule's name.
    rule: String,
    /// Rule files, and folders of them. A capture holds those that were asked then. Can be given more than once.
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    feeds: Feeds,
    /// Which event: its number, counted from 1, or the id of an alert that it raised.
    #[arg(long = "event", value_name = "N|ID")]
    choice: Option<Choice>,
    /// Only the parts that decide.
    #[arg(long)]
    decisive: bool,
}

/// Which of several events.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Number(u64),
    Alert(Uuid),
}

impl std::str::FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| *number > 0).map(Self::Number);
        let choice = number.or_else(|| text.parse().ok().map(Self::Alert));
        choice.ok_or_else(|| "it is neither a number from 1 nor the id of an alert".to_owned())
    }
}

/// The event that is explained, and the rules that it is asked.
struct Chosen {
    number: u64,
    occurrence: Occurrence,
    distance: u64,
    engine: Rc<Engine>,
}

/// The nearest so far.
#[derive(Default)]
struct Search {
    chosen: Option<Chosen>,
    seen: u64,
    matching: u64,
}

impl WhyCommand {
    pub fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let Input { rules, host, items } =
            input::read(&self.event, &self.rules, &self.feeds, self.choice)?;
        let search = self.search(rules, &host, items)?;
        let Some(chosen) = &search.chosen else {
            anyhow::bail!("{}", self.not_there(search.seen));
        };
        let why = chosen.occurrence.why(&chosen.engine, &self.rule, &host);
        let why = why.ok_or_else(|| anyhow::anyhow!("{}", unknown(&chosen.engine, &self.rule)))?;
        let verb = if why.holds() { "matches" } else { "does not match" };
        let words = printable(&chosen.occurrence.in_words());
        writeln!(out, "`{}` {verb} event {}: {words}", self.rule, chosen.number)?;
        if self.choice.is_none() && search.seen > 1 {
            let Search { seen, matching, .. } = search;
            let place =
                if why.holds() { "the first that matches" } else { "the nearest to a match" };
            writeln!(out, "{matching} of {seen} events match; this is {place}")?;
        }
        writeln!(out, "{}", if self.decisive { why.decisive() } else { why })?;
        Ok(ExitCode::SUCCESS)
    }

    fn search(&self, rules: Option<Engine>, host: &Host, items: Items) -> anyhow::Result<Search> {
        let has_own_rules = rules.is_some();
        let mut engine = rules.map(Rc::new);
        let mut search = Search::default();
        for item in items {
            match item {
                Ok(Item::Rules(_)) if has_own_rules => {}
                Ok(Item::Rules(files)) => engine = Some(Rc::new(capture::compile(&files)?)),
                Ok(Item::Event(number, event)) => {
                    let Some(engine) = &engine else { anyhow::bail!("{}", ReplayError::NoRules) };
                    self.look(engine, host, number, event, &mut search)?;
                }
                // What stands before it was looked at.
                Err(error) => {
                    eprintln!("warning: {error}");
                    break;
                }
            }
        }
        Ok(search)
    }

    fn look(
        &self,
        engine: &Rc<Engine>,
        host: &Host,
        number: u64,
        occurrence: Occurrence,
        search: &mut Search,
    ) -> anyhow::Result<()> {
        search.seen += 1;
        if matches!(self.choice, Some(Choice::Number(chosen)) if chosen != number) {
            return Ok(());
        }
        let distance = occurrence.distance(engine, &self.rule, host);
        let distance =
            distance.ok_or_else(|| anyhow::anyhow!("{}", unknown(engine, &self.rule)))?;
        search.matching += u64::from(distance == 0);
        if search.chosen.as_ref().is_none_or(|nearest| distance < nearest.distance) {
            let engine = Rc::clone(engine);
            search.chosen = Some(Chosen { number, occurrence, distance, engine });
        }
        Ok(())
    }

    fn not_there(&self, seen: u64) -> String {
        let file = self.event.display();
        match self.choice {
            Some(Choice::Number(number)) => {
                format!("{file} has {seen} events, none is number {number}")
            }
            Some(Choice::Alert(id)) => format!("no event of {file} raised the alert {id}"),
            None => format!("{file} holds no event"),
        }
    }
}
