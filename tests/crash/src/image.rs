//! What a disk holds: what is durable, and what a power cut may still take.

use fastrand::Rng;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};

/// The number of the root folder.
pub(crate) const ROOT: u64 = 1;

/// What is written in one piece: sectors by disks, pages by kernels. A write of more may be torn between them.
const PIECES: [usize; 2] = [512, 4096];

/// A change of a file that was not synced.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Resize(usize),
}

/// A change of a folder that was not synced. What one call changed, such as a rename, is one.
pub(crate) type Renaming = Vec<(OsString, Option<u64>)>;

#[derive(Clone, Debug)]
pub(crate) enum Content {
    File {
        now: Vec<u8>,
        durable: Vec<u8>,
        changes: Vec<Change>,
    },
    Folder {
        now: BTreeMap<OsString, u64>,
        durable: BTreeMap<OsString, u64>,
        changes: Vec<Renaming>,
    },
}

/// A file or folder.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) mode: u16,
}

impl Node {
    fn file(mode: u16) -> Self {
        let content = Content::File { now: Vec::new(), durable: Vec::new(), changes: Vec::new() };
        Self { content, mode }
    }

    fn folder(mode: u16) -> Self {
        let (now, durable, changes) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { content: Content::Folder { now, durable, changes }, mode }
    }
}

/// How much a power cut took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Changes of files that are gone, or there in part only.
    pub changes: u64,
    /// Names that were made, changed or removed, and are as before.
    pub names: u64,
}

/// All files and folders of a disk.
#[derive(Debug)]
pub(crate) struct Image {
    nodes: HashMap<u64, Node>,
    next: u64,
}

impl Default for Image {
    fn default() -> Self {
        Self { nodes: HashMap::from([(ROOT, Node::folder(0o755))]), next: ROOT + 1 }
    }
}

impl Image {
    pub(crate) fn node(&self, number: u64) -> Option<&Node> {
        self.nodes.get(&number)
    }

    pub(crate) fn set_mode(&mut self, number: u64, mode: u16) {
        if let Some(node) = self.nodes.get_mut(&number) {
            node.mode = mode;
        }
    }

    /// What a folder holds under a name.
    pub(crate) fn find(&self, folder: u64, name: &OsStr) -> Option<u64> {
        match &self.nodes.get(&folder)?.content {
            Content::Folder { now, .. } => now.get(name).copied(),
            Content::File { .. } => None,
        }
    }

    // ── Names ──

    pub(crate) fn make_file(&mut self, folder: u64, name: &OsStr, mode: u16) -> u64 {
        self.add(folder, name, Node::file(mode))
    }

    pub(crate) fn make_folder(&mut self, folder: u64, name: &OsStr, mode: u16) -> u64 {
        self.add(folder, name, Node::folder(mode))
    }

    fn add(&mut self, folder: u64, name: &OsStr, node: Node) -> u64 {
        let number = self.next;
        self.next += 1;
        self.nodes.insert(number, node);
        self.name(folder, vec![(name.into(), Some(number))]);
        number
    }

    pub(crate) fn remove(&mut self, folder: u64, name: &OsStr) {
        self.name(folder, vec![(name.into(), None)]);
    }

    /// Within one folder this is one change, as in every file system with a journal.
    pub(crate) fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr)) -> bool {
        let Some(number) = self.find(from.0, from.1) else { return false };
        let (removed, put) = ((from.1.into(), None), (to.1.into(), Some(number)));
        if from.0 == to.0 {
            self.name(from.0, vec![removed, put]);
        } else {
            self.name(to.0, vec![put]);
            self.name(from.0, vec![removed]);
        }
        true
    }

    fn name(&mut self, folder: u64, renaming: Renaming) {
        let Some(node) = self.nodes.get_mut(&folder) else { return };
        if let Content::Folder { now, changes, .. } = &mut node.content {
            put_names(now, &renaming);
            changes.push(renaming);
        }
    }

    // ── Content ──

    pub(crate) fn write(&mut self, number: u64, offset: usize, bytes: &[u8]) {
        self.change(number, Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(crate) fn resize(&mut self, number: u64, length: usize) {
        self.change(number, Change::Resize(length));
    }

    fn change(&mut self, number: u64, change: Change) {
        let Some(node) = self.nodes.get_mut(&number) else { return };
        if let Content::File { now, changes, .. } = &mut node.content {
            apply(now, &change);
            changes.push(change);
        }
    }

    /// fsync(2) of a file: its content is durable, its name is not. Of a folder: its names are.
    pub(crate) fn sync(&mut self, number: u64) {
        match self.nodes.get_mut(&number).map(|node| &mut node.content) {
            Some(Content::File { durable, changes, .. }) => {
                changes.drain(..).for_each(|change| apply(durable, &change));
            }
            Some(Content::Folder { durable, changes, .. }) => {
                changes.drain(..).for_each(|renaming| put_names(durable, &renaming));
            }
            None => {}
        }
    }

    // ── Forgetting ──

    /// The power fails: of what was not synced, chance decides what is there. Of a folder's names it is the changes
    /// up to one of them, for journals keep their order; of a file's content it is any, in pieces, in any order.
    pub(crate) fn cut_power(&mut self, random: &mut Rng) -> Forgotten {
        let mut forgotten = Forgotten::default();
        // In one order, so that a seed tells the whole course.
        let mut numbers: Vec<u64> = self.nodes.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            match self.nodes.get_mut(&number).map(|node| &mut node.content) {
                Some(Content::File { now, durable, changes }) => {
                    let changes = std::mem::take(changes);
                    forgotten.changes += forget_content(durable, &changes, random);
                    now.clone_from(durable);
                }
                Some(Content::Folder { now, durable, changes }) => {
                    let kept = random.usize(..=changes.len());
                    forgotten.names += (changes.len() - kept) as u64;
                    changes.drain(..).take(kept).for_each(|it| put_names(durable, &it));
                    now.clone_from(durable);
                }
                None => {}
            }
        }
        self.collect();
        forgotten
    }

    /// Lets go of what has no name any more. Only while nothing is open.
    pub(crate) fn collect(&mut self) {
        let mut named = HashSet::from([ROOT]);
        for node in self.nodes.values() {
            if let Content::Folder { now, durable, .. } = &node.content {
                named.extend(now.values().chain(durable.values()));
            }
        }
        self.nodes.retain(|number, _| named.contains(number));
    }
}

fn put_names(names: &mut BTreeMap<OsString, u64>, renaming: &Renaming) {
    for (name, number) in renaming {
        match number {
            Some(number) => names.insert(name.clone(), *number),
            None => names.remove(name),
        };
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Resize(length) => content.resize(*length, 0),
        Change::Write { offset, bytes } => {
            let end = offset + bytes.len();
            content.resize(content.len().max(end), 0);
            content[*offset..end].copy_from_slice(bytes);
        }
    }
}

/// Returns how many of the changes are not wholly there.
fn forget_content(durable: &mut Vec<u8>, changes: &[Change], random: &mut Rng) -> u64 {
    if changes.is_empty() {
        return 0;
    }
    match random.u8(..4) {
        0 => changes.len() as u64,
        1 => {
            for change in changes {
                apply(durable, change);
            }
            0
        }
        2 => keep_the_first(durable, changes, random),
        _ => keep_any(durable, changes, random),
    }
}

/// The changes up to one of them, which is torn at any byte.
fn keep_the_first(durable: &mut Vec<u8>, changes: &[Change], random: &mut Rng) -> u64 {
    let kept = random.usize(..changes.len());
    changes[..kept].iter().for_each(|change| apply(durable, change));
    if let Change::Write { offset, bytes } = &changes[kept] {
        let bytes = bytes[..random.usize(..=bytes.len())].to_vec();
        apply(durable, &Change::Write { offset: *offset, bytes });
    }
    (changes.len() - kept) as u64
}

/// Any pieces of any changes: sometimes most, sometimes few.
fn keep_any(durable: &mut Vec<u8>, changes: &[Change], random: &mut Rng) -> u64 {
    let piece = PIECES[random.usize(..PIECES.len())];
    let share = random.f64();
    for change in changes {
        let Change::Write { offset, bytes } = change else {
            if random.f64() < share {
                apply(durable, change);
            }
            continue;
        };
        let mut place = *offset;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            // They lie where they lie, wherever a write begins.
            let (kept, behind) = rest.split_at(rest.len().min(piece - place % piece));
            if random.f64() < share {
                apply(durable, &Change::Write { offset: place, bytes: kept.to_vec() });
            }
            place += kept.len();
            rest = behind;
        }
    }
    changes.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(image: &Image, number: u64) -> &[u8] {
        match &image.node(number).expect("it is there").content {
            Content::File { now, .. } => now,
            Content::Folder { .. } => panic!("it is a folder"),
        }
    }

    #[test]
    fn what_was_synced_survives_every_power_cut() {
        for seed in 0..200 {
            let mut image = Image::default();
            let file = image.make_file(ROOT, OsStr::new("a"), 0o600);
            image.write(file, 0, b"durable");
            image.sync(file);
            image.sync(ROOT);
            image.write(file, 7, &[9; 5000]);
            image.make_file(ROOT, OsStr::new("b"), 0o600);
            image.cut_power(&mut Rng::with_seed(seed));
            assert_eq!(image.find(ROOT, OsStr::new("a")), Some(file), "seed {seed}");
            assert_eq!(&content(&image, file)[..7], b"durable", "seed {seed}");
        }
    }

    #[test]
    fn what_was_not_synced_is_sometimes_gone_sometimes_there_and_sometimes_torn() {
        let (mut lengths, mut is_named, mut has_hole) = (HashSet::new(), HashSet::new(), false);
        for seed in 0..400 {
            let mut image = Image::default();
            let file = image.make_file(ROOT, OsStr::new("a"), 0o600);
            image.sync(ROOT);
            image.write(file, 0, &[9; 2000]);
            image.write(file, 2000, &[9; 2000]);
            image.make_file(ROOT, OsStr::new("b"), 0o600);
            image.cut_power(&mut Rng::with_seed(seed));
            let left = content(&image, file);
            has_hole |= left.windows(2).any(|pair| pair == [0, 9]);
            lengths.insert(left.len());
            is_named.insert(image.find(ROOT, OsStr::new("b")).is_some());
        }
        assert!(lengths.contains(&0) && lengths.contains(&4000) && lengths.len() > 20);
        assert_eq!(is_named.len(), 2);
        assert!(has_hole, "later bytes were never there without earlier ones");
    }

    #[test]
    fn a_rename_is_there_whole_or_not_at_all() {
        for seed in 0..100 {
            let mut image = Image::default();
            for name in ["old", "new"] {
                let file = image.make_file(ROOT, OsStr::new(name), 0o600);
                image.write(file, 0, name.as_bytes());
                image.sync(file);
            }
            image.sync(ROOT);
            assert!(image.rename((ROOT, OsStr::new("new")), (ROOT, OsStr::new("old"))));
            image.cut_power(&mut Rng::with_seed(seed));
            let has_new = image.find(ROOT, OsStr::new("new")).is_some();
            let old = image.find(ROOT, OsStr::new("old")).expect("one of the two");
            assert_eq!(content(&image, old), if has_new { &b"old"[..] } else { b"new" });
        }
    }
}
