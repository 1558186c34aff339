//! Up to where each source's lanes are durable, so that what is sent again is not stored again.

use event_model::{Lane, SourceId};
use std::collections::HashMap;

/// Sources remembered. Each start of a collector is a new one; the one unheard of for longest is forgotten
/// first, and if it came again after all, the backend cuts what it then gets twice.
const MAXIMUM_SOURCES: usize = 256;

/// The last durable sequence of each lane; 0 where nothing came.
pub(crate) type Through = [u64; Lane::ALL.len()];

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    through: Through,
    last_heard: u64,
}

/// What is durable of which source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    known: HashMap<SourceId, Known>,
    clock: u64,
}

impl Sources {
    /// The last durable sequence, 0 where the source is not known.
    pub(crate) fn through(&self, source: SourceId, lane: Lane) -> u64 {
        self.known.get(&source).map_or(0, |known| known.through[lane.index()])
    }

    /// All lanes of a source that something came of.
    pub(crate) fn lanes(&self, source: SourceId) -> impl Iterator<Item = (Lane, u64)> {
        let through = self.known.get(&source).map_or([0; Lane::ALL.len()], |known| known.through);
        Lane::ALL.into_iter().zip(through).filter(|(_, sequence)| *sequence > 0)
    }

    /// Notes that a lane is durable up to a sequence. It never goes back.
    pub(crate) fn note(&mut self, source: SourceId, lane: Lane, sequence: u64) {
        self.clock += 1;
        let known = self.known.entry(source).or_default();
        known.last_heard = self.clock;
        let through = &mut known.through[lane.index()];
        *through = sequence.max(*through);
        if self.known.len() > MAXIMUM_SOURCES {
            self.forget_the_quietest();
        }
    }

    /// All sources, those unheard of for longest first.
    pub(crate) fn all(&self) -> Vec<(SourceId, Through)> {
        let mut all: Vec<_> = self.known.iter().collect();
        all.sort_unstable_by_key(|(_, known)| known.last_heard);
        all.into_iter().map(|(source, known)| (*source, known.through)).collect()
    }

    fn forget_the_quietest(&mut self) {
        let quietest = self.known.iter().min_by_key(|(_, known)| known.last_heard);
        if let Some(source) = quietest.map(|(source, _)| *source) {
            self.known.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_note_takes_nothing_back() {
        let mut sources = Sources::default();
        let source = SourceId::generate();
        sources.note(source, Lane::Entity, 10);
        sources.note(source, Lane::Entity, 4);
        assert_eq!(sources.through(source, Lane::Entity), 10);
        assert_eq!(sources.through(source, Lane::Alert), 0);
        assert_eq!(sources.lanes(source).collect::<Vec<_>>(), [(Lane::Entity, 10)]);
    }

    #[test]
    fn only_the_sources_heard_of_last_are_remembered() {
        let mut sources = Sources::default();
        let all: Vec<_> = (0..1000).map(|_| SourceId::generate()).collect();
        for source in &all {
            sources.note(all[0], Lane::Alert, 1);
            sources.note(*source, Lane::Alert, 1);
        }
        assert_eq!(sources.all().len(), MAXIMUM_SOURCES);
        assert_eq!(sources.through(all[0], Lane::Alert), 1, "heard of all the time");
        assert_eq!(sources.through(all[1], Lane::Alert), 0, "not heard of for longest");
        assert_eq!(sources.through(all[999], Lane::Alert), 1);
    }
}
