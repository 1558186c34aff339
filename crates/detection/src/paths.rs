//! Which files rules can match acts on: a superset, by which a sensor may leave out all others.

use crate::event_type::{EventType, Subject};
use crate::field::{Access, DescriptorField, EventField, FileField, Value};
use crate::graph::{Check, Graph, Node, NodeId};
use crate::test::{Test, TextTest};
use event_model::FileAct;
use std::collections::{BTreeSet, HashMap};

/// More patterns than this are no filter any more.
const MOST_PATTERNS: usize = 1024;
/// What a sensor takes of a path.
const MOST_NAMES: usize = 30;
const LONGEST_NAME: usize = 255;

/// Patterns of paths: `/etc/shadow` is that file, `/etc/` the directory with all below it, `**/id_rsa` a file of that name
/// anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedPaths {
    /// Files whose opening to read some rule asks for.
    pub read: BTreeSet<String>,
    /// Files whose opening to write, or any other act on them, some rule asks for.
    pub write: BTreeSet<String>,
    /// The rules that could match acts on any file.
    pub unbounded: Vec<String>,
}

impl WantedPaths {
    /// Takes a rule's condition for acts of one type.
    pub(crate) fn add(
        &mut self,
        rule: &str,
        graph: &mut Graph,
        condition: NodeId,
        event_type: EventType,
    ) {
        let Subject::File(act) = event_type.subject() else { return };
        let is_open = act == FileAct::Open;
        let reads = is_open && can_hold_without(graph, condition, &WRITES);
        // Opens for both are told of files in either list: where a rule asks for nothing else, one is enough.
        let writes = !reads || can_hold_without(graph, condition, &[READS]);
        let Some(patterns) = patterns(graph, condition) else {
            if self.unbounded.last().is_none_or(|last| last != rule) {
                self.unbounded.push(rule.to_owned());
            }
            return;
        };
        if reads {
            self.read.extend(patterns.iter().cloned());
        }
        if writes {
            self.write.extend(patterns);
        }
    }
}

const READS: Access = Access::Event(EventField::OpensForReading);

/// An open that makes the file writes, whatever it asks for.
const WRITES: [Access; 4] = [
    Access::Event(EventField::OpensForWriting),
    Access::Event(EventField::Creates),
    Access::Event(EventField::CreatesExecutable),
    Access::File(FileField::Created),
];

/// Whether a condition can hold for opens of which these fields are false.
fn can_hold_without(graph: &mut Graph, condition: NodeId, without: &[Access]) -> bool {
    let decide = |check: &Check| {
        let is_it = without.contains(&check.field.access) && check.transformers.is_empty();
        is_it.then(|| check.test.holds(&Value::Boolean(false)))
    };
    let special = graph.specialised(condition, &decide, &mut HashMap::new());
    *graph.node(special) != Node::Constant(false)
}

/// The patterns of all files that a condition can hold for; None where that can't be told.
fn patterns(graph: &Graph, condition: NodeId) -> Option<BTreeSet<String>> {
    let found = match graph.node(condition) {
        Node::Constant(false) => Some(BTreeSet::new()),
        Node::Constant(true) | Node::Not(_) => None,
        Node::Check(check) => of_check(graph.check(*check)),
        Node::And(parts) => {
            parts.iter().filter_map(|part| patterns(graph, *part)).min_by_key(BTreeSet::len)
        }
        Node::Or(parts) => parts.iter().try_fold(BTreeSet::new(), |mut all, part| {
            all.extend(patterns(graph, *part)?);
            Some(all)
        }),
    };
    found.filter(|found| found.len() <= MOST_PATTERNS)
}

/// What a field is of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Directory,
    Name,
}

fn of_check(check: &Check) -> Option<BTreeSet<String>> {
    if !check.transformers.is_empty() {
        return None;
    }
    let part = match &check.field.access {
        // A sensor watches its own files, wherever they lie.
        Access::Event(EventField::TargetIsSensor) => {
            let asks_for_it = !check.test.holds(&Value::Boolean(false));
            return asks_for_it.then(BTreeSet::new);
        }
        Access::Descriptor(DescriptorField::Directory) => Part::Directory,
        Access::Descriptor(DescriptorField::FileName) => Part::Name,
        Access::Descriptor(DescriptorField::Name)
        | Access::File(
            FileField::OnlyPath
            | FileField::Source
            | FileField::Target
            | FileField::Path
            | FileField::OtherPath,
        ) => Part::Whole,
        Access::Argument(name) => match &**name {
            "name" | "path" | "filename" | "oldpath" | "newpath" | "linkpath" | "dir" => {
                Part::Whole
            }
            _ => return None,
        },
        _ => return None,
    };
    of_test(&check.test, part)
}

fn of_test(test: &Test, part: Part) -> Option<BTreeSet<String>> {
    match test {
        Test::Never => Some(BTreeSet::new()),
        Test::Any(tests) | Test::ExactlyOne(tests) => {
            tests.iter().try_fold(BTreeSet::new(), |mut all, test| {
                all.extend(of_test(test, part)?);
                Some(all)
            })
        }
        Test::All(tests) => tests.iter().find_map(|test| of_test(test, part)),
        Test::Text(test) => of_text(test, part),
        _ => None,
    }
}

fn of_text(test: &TextTest, part: Part) -> Option<BTreeSet<String>> {
    match test {
        TextTest::Equal(wanted) => Some([exactly(wanted, part)?].into()),
        TextTest::OneOf(set) => set.iter().map(|member| exactly(member, part)).collect(),
        TextTest::StartsWith(start) if part != Part::Name => {
            let end = start.rfind('/')?;
            Some([well_formed(start[..=end].to_owned())?].into())
        }
        TextTest::EndsWith(end) if part == Part::Whole => {
            let name = end.rsplit_once('/')?.1;
            Some([well_formed(format!("**/{name}"))?].into())
        }
        TextTest::Below(paths) if part != Part::Name => {
            let below = |path: &str| {
                Some([well_formed(path.to_owned())?, well_formed(format!("{path}/"))?])
            };
            let all: Option<Vec<_>> = paths.iter().map(|path| below(path)).collect();
            Some(all?.into_iter().flatten().collect())
        }
        _ => None,
    }
}

fn exactly(text: &str, part: Part) -> Option<String> {
    well_formed(match part {
        Part::Whole => text.to_owned(),
        Part::Directory => format!("{}/", text.trim_end_matches('/')),
        Part::Name => format!("**/{text}"),
    })
}

/// None for what is no pattern: a relative path, a name with a star in it.
fn well_formed(pattern: String) -> Option<String> {
    let (names, whole) = if let Some(name) = pattern.strip_prefix("**/") {
        (name, !name.contains('/'))
    } else {
        let names = pattern.strip_prefix('/')?;
        (names.strip_suffix('/').unwrap_or(names), true)
    };
    let is_name = |name: &str| {
        (1..=LONGEST_NAME).contains(&name.len())
            && !name.contains('*')
            && !matches!(name, "." | "..")
    };
    let good = names.split('/').all(is_name) && names.split('/').count() <= MOST_NAMES;
    (whole && good).then_some(pattern)
}
