//! The packages of a root, and what was passed over.

use super::pace::Pace;
use super::root::{FileVersion, Root, Skipped};
use super::{apk, dpkg, languages, limits, rpm};
use event_model::Package;
use metrics::counter;
use std::collections::BTreeMap;

/// How many paths are named in a problem.
const PATHS_NAMED: usize = 1;

/// What is found in a root.
pub struct Found<'a> {
    /// The packages.
    pub packages: Vec<Package>,
    /// Keeps the thread slow.
    pub pace: &'a mut Pace,
    /// There are more.
    pub cut: bool,
    skipped: BTreeMap<Skipped, (u64, Vec<String>)>,
    notes: Vec<String>,
}

impl<'a> Found<'a> {
    /// Nothing yet.
    pub fn new(pace: &'a mut Pace) -> Self {
        Self { packages: vec![], pace, cut: false, skipped: BTreeMap::new(), notes: vec![] }
    }

    /// Takes a package, where there is room.
    pub fn add(&mut self, package: Package) {
        self.pace.rest();
        if self.is_full() {
            self.cut = true;
        } else {
            self.packages.push(package);
        }
    }

    /// No more packages are taken.
    pub fn is_full(&self) -> bool {
        self.packages.len() >= limits::ITEMS
    }

    /// A file was passed over.
    pub fn skipped(&mut self, path: &str, reason: Skipped) {
        counter!("defender_inventory_skipped_total", "reason" => reason.name()).increment(1);
        let (count, paths) = self.skipped.entry(reason).or_default();
        *count += 1;
        if paths.len() < PATHS_NAMED {
            paths.push(limits::clipped(path, limits::PATH));
        }
    }

    /// Something else is wrong, in words.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Everything that is there was found.
    pub fn is_complete(&self) -> bool {
        !self.cut && self.skipped.is_empty() && self.notes.is_empty()
    }

    /// What was passed over, in words.
    pub fn problems(&self) -> Vec<String> {
        let skipped = self.skipped.iter().map(|(reason, (count, paths))| {
            let others = count - paths.len() as u64;
            let more = if others == 0 { String::new() } else { format!(" and {others} more") };
            format!("{}{more}: {reason}", paths.join(", "))
        });
        let cut =
            self.cut.then(|| format!("there are more than the {} packages told", limits::ITEMS));
        skipped.chain(cut).chain(self.notes.iter().cloned()).collect()
    }
}

/// Reads the packages of a root: those of the system, and where asked for those of languages in the usual places and
/// `also`.
pub fn read(root: &Root, with_languages: bool, also: &[String], found: &mut Found<'_>) {
    dpkg::read(root, found);
    apk::read(root, found);
    rpm::read(root, found);
    if with_languages {
        languages::read(root, also, found);
    }
}

/// What changes whenever a package of the system is installed or removed.
pub fn version(root: &Root) -> Vec<Option<FileVersion>> {
    let files = [dpkg::STATUS].into_iter().chain(apk::INSTALLED).chain(rpm::databases());
    files.map(|path| root.version(path)).collect()
}
