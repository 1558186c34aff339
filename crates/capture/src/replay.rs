//! A capture, asked again: by the rules that stand in it, or by others.

use crate::{CaptureError, CapturedAct, CapturedRequest, Entry, Reader, RuleFile};
use detection::{Engine, LoadError, RuleSet, SourceFile, Tally};
use event_model::{Alert, Host, Timestamp};
use std::io::Read;

/// Why a capture can't be replayed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum ReplayError {
    #[error("the rules that stand in the capture do not load here:\n{0}")]
    Rules(#[from] LoadError),
    #[error("no rules stand in the capture: name some")]
    NoRules,
}

/// How a replayed alert compares with those that were recorded of the same act or request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It was recorded so.
    Same,
    /// It was recorded with another message.
    Changed,
    /// It was recorded and is not raised any more.
    Missing,
    /// It is raised and was not recorded.
    New,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Same, Self::Changed, Self::Missing, Self::New];

    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::New => "new",
        }
    }
}

/// An alert of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The number of its act or request.
    pub number: u64,
    /// Whether it was recorded.
    pub verdict: Verdict,
    /// As it is raised now; where it is not any more, as it was recorded.
    pub alert: Alert,
}

/// What a replay came to.
#[derive(Debug)]
pub struct Summary {
    /// Acts and requests.
    pub asked: u64,
    /// How many alerts there are of each verdict, in the order of [`Verdict::ALL`].
    pub alerts: [u64; Verdict::ALL.len()],
    /// Why the capture ended; or what is wrong with it: all before that was replayed.
    pub end: Result<String, CaptureError>,
}

impl Summary {
    /// How many alerts there are of a verdict.
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.alerts[verdict as usize]
    }

    /// Whether the alerts are those that were recorded.
    pub fn is_as_recorded(&self) -> bool {
        self.alerts.iter().sum::<u64>() == self.of(Verdict::Same)
    }
}

/// Asks a capture again, and hands over each alert. Without rules of its own, by those that stand in the capture. As in the
/// sensor, acts and requests are counted apart where rules ask for several.
pub fn replay(
    capture: Reader<impl Read>,
    own_rules: Option<Engine>,
    mut take: impl FnMut(Replayed),
) -> Result<Summary, ReplayError> {
    let host = capture.head().host.clone();
    let mut asking = Asking::new(own_rules, host);
    let mut summary = Summary { asked: 0, alerts: [0; Verdict::ALL.len()], end: Ok(String::new()) };
    let mut hand_over = |step: Option<Step>, alerts: &mut [u64; Verdict::ALL.len()]| {
        for replayed in step.into_iter().flat_map(Step::compared) {
            alerts[replayed.verdict as usize] += 1;
            take(replayed);
        }
    };
    let mut step: Option<Step> = None;
    for entry in capture {
        let next = match entry {
            Ok(Entry::Alert(alert)) => {
                if let Some(step) = &mut step {
                    step.recorded.push(*alert);
                }
                continue;
            }
            Ok(Entry::Rules(files)) => {
                asking.take_rules(&files)?;
                continue;
            }
            Ok(Entry::Act(act)) => asking.act(&act)?,
            Ok(Entry::Request(request)) => asking.request(&request)?,
            Ok(Entry::End(reason)) => {
                summary.end = Ok(reason);
                break;
            }
            Err(error) => {
                summary.end = Err(error);
                break;
            }
        };
        summary.asked += 1;
        hand_over(step.replace(next), &mut summary.alerts);
    }
    hand_over(step, &mut summary.alerts);
    Ok(summary)
}

/// The engine of the rules that stand in a capture.
pub fn compile(files: &[RuleFile]) -> Result<Engine, LoadError> {
    let sources: Vec<_> =
        files.iter().map(|RuleFile { name, text }| SourceFile { name, text }).collect();
    RuleSet::load(&sources).map(Engine::compile)
}

/// The rules, and what they have counted.
struct Asking {
    engine: Option<Engine>,
    has_own_rules: bool,
    acts: Tally,
    requests: Tally,
    host: Host,
}

impl Asking {
    fn new(own_rules: Option<Engine>, host: Host) -> Self {
        let has_own_rules = own_rules.is_some();
        let (acts, requests) = (Tally::default(), Tally::default());
        Self { engine: own_rules, has_own_rules, acts, requests, host }
    }

    /// Rules of the capture: what was counted for those before them counts no more.
    fn take_rules(&mut self, files: &[RuleFile]) -> Result<(), ReplayError> {
        if !self.has_own_rules {
            self.engine = Some(compile(files)?);
            (self.acts, self.requests) = (Tally::default(), Tally::default());
        }
        Ok(())
    }

    fn act(&mut self, captured: &CapturedAct) -> Result<Step, ReplayError> {
        let engine = self.engine.as_ref().ok_or(ReplayError::NoRules)?;
        let raised = captured.with_act(&self.host, |act| {
            let matches = engine.detect(act, &mut self.acts).into_iter();
            matches.map(|matched| matched.into_alert(act, Timestamp::now())).collect()
        });
        Ok(Step { number: captured.number, raised, recorded: vec![] })
    }

    fn request(&mut self, captured: &CapturedRequest) -> Result<Step, ReplayError> {
        let engine = self.engine.as_ref().ok_or(ReplayError::NoRules)?;
        let act = captured.act(&self.host);
        let matches = engine.detect_audit(&act, &mut self.requests).into_iter();
        let raised =
            matches.map(|matched| matched.into_audit_alert(&act, Timestamp::now())).collect();
        Ok(Step { number: captured.number, raised, recorded: vec![] })
    }
}

/// An act or request that was asked again.
struct Step {
    number: u64,
    raised: Vec<Alert>,
    recorded: Vec<Alert>,
}

impl Step {
    fn compared(self) -> Vec<Replayed> {
        let Self { number, raised, mut recorded } = self;
        let mut alerts: Vec<_> = raised
            .into_iter()
            .map(|alert| {
                let place = recorded.iter().position(|known| known.rule == alert.rule);
                let verdict = match place.map(|place| recorded.swap_remove(place)) {
                    Some(known) if known.message == alert.message => Verdict::Same,
                    Some(_) => Verdict::Changed,
                    None => Verdict::New,
                };
                Replayed { number, verdict, alert }
            })
            .collect();
        let missing = |alert| Replayed { number, verdict: Verdict::Missing, alert };
        alerts.extend(recorded.into_iter().map(missing));
        alerts
    }
}
