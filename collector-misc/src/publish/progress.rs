use super::delivered::Delivered;
use super::kind::Kind;
use node_link::{Delivery, Mark};
use std::collections::BTreeMap;

/// How far each kind's states have come: given to the outbox, and acknowledged. Pure: who knows of acknowledgements
/// is asked by a function.
///
/// Each doubt has a number, so that a snapshot ends those alone that were there when it began.
#[derive(Debug, Default)]
pub(super) struct Progress {
    delivered: Delivered,
    kinds: BTreeMap<Kind, KindProgress>,
    /// The number of the newest doubt; zero before the first.
    doubts: u64,
    /// Kinds that are not known yet are in this doubt, too.
    doubt_of_others: Option<u64>,
    /// The newest doubt when the snapshot began that ran last.
    doubts_before_snapshot: u64,
}

#[derive(Debug, Default)]
struct KindProgress {
    /// All states up to here came, and were sent or kept.
    reached: Option<u64>,
    /// Given up to this version, at this mark; not yet acknowledged when last looked.
    waiting: Option<(u64, Mark)>,
    /// The same, of the newest.
    newest: Option<(u64, Mark)>,
    /// Nothing was lost up to this mark, or that is in doubt already. None before anything was given since.
    unharmed: Option<Mark>,
    /// Something before `reached` was lost: no word of what is delivered until all is listed anew.
    doubt: Option<u64>,
    /// The newest snapshot that was told whole ends doubts up to this one.
    listed_through: Option<u64>,
    /// This doubt, and perhaps some before it, is of deletions: no list names who is gone, only a census shows it.
    lacks_deletions: Option<u64>,
    /// The census that was told last, until it is known to be delivered.
    census: Option<Census>,
}

/// A census that is being told, or was.
#[derive(Clone, Copy, Debug)]
struct Census {
    /// The newest doubt when it began: deletions that were lost until then it shows.
    doubts: u64,
    /// Nothing of it was given before.
    began: Mark,
    /// All of it was given before. None: it is being told.
    ended: Option<Mark>,
}

impl Progress {
    /// Something of `kind` came. `mark` is the outbox's before it is given to it, where it is.
    pub(super) fn comes(&mut self, kind: &Kind, mark: Option<Mark>) {
        let progress = self.kind(kind);
        progress.unharmed = progress.unharmed.or(mark);
    }

    /// All states of `kind` up to `version` came. `mark` is the outbox's, where they were given to it.
    pub(super) fn reached(
        &mut self,
        kind: &Kind,
        version: u64,
        mark: Option<Mark>,
        delivery: impl Fn(Mark) -> Delivery,
    ) {
        self.look_for_loss(kind, &delivery);
        let progress = self.kind(kind);
        progress.reached = Some(version);
        progress.newest = mark.map(|mark| (version, mark)).filter(|_| progress.doubt.is_none());
        progress.unharmed = mark.or(progress.unharmed);
    }

    /// A snapshot of all objects begins.
    pub(super) fn begin_snapshot(
        &mut self,
        mark: impl Fn(&Kind) -> Option<Mark>,
        delivery: impl Fn(Mark) -> Delivery,
    ) {
        self.look_for_losses(&delivery);
        self.doubts_before_snapshot = self.doubts;
        for (kind, progress) in &mut self.kinds {
            progress.unharmed = mark(kind);
        }
    }

    /// All objects of `kind` as they are now were given to the outbox since the snapshot began.
    pub(super) fn listed(&mut self, kind: &Kind, delivery: impl Fn(Mark) -> Delivery) {
        self.look_for_loss(kind, &delivery);
        let before = self.doubts_before_snapshot;
        let progress = self.kind(kind);
        progress.listed_through = Some(before);
        progress.settle();
    }

    /// A census of `kind` begins: who is gone by now is not named in it. `mark` is the outbox's.
    pub(super) fn begin_census(&mut self, kind: &Kind, mark: Option<Mark>) {
        let doubts = self.doubts;
        self.kind(kind).census = mark.map(|began| Census { doubts, began, ended: None });
    }

    /// All of the census was given to the outbox, where there is a `mark`.
    pub(super) fn end_census(&mut self, kind: &Kind, mark: Option<Mark>) {
        let progress = self.kind(kind);
        let census = progress.census.zip(mark);
        progress.census = census.map(|(census, mark)| Census { ended: Some(mark), ..census });
    }

    /// Ends doubts of deletions by censuses that were delivered. Where one was lost that would have, the doubt is a new one.
    pub(super) fn look_at_censuses(&mut self, delivery: impl Fn(Mark) -> Delivery) {
        let mut lost = Vec::new();
        for (kind, progress) in &mut self.kinds {
            if progress.look_at_census(&delivery) == Some(Delivery::Uncertain)
                && progress.lacks_deletions.is_some()
            {
                lost.push(kind.clone());
            }
        }
        for kind in lost {
            self.lose_deletions(&kind);
        }
    }

    /// Some states of `kind` are not sent.
    pub(super) fn doubt(&mut self, kind: &Kind) {
        self.doubts += 1;
        let number = self.doubts;
        self.kind(kind).doubt(number);
    }

    /// Some states of any kind may not be sent.
    pub(super) fn doubt_all(&mut self) {
        self.doubts += 1;
        self.doubt_of_others = Some(self.doubts);
        self.kinds.values_mut().for_each(|progress| progress.doubt(self.doubts));
    }

    /// Deletions of `kind` are lost.
    pub(super) fn lose_deletions(&mut self, kind: &Kind) {
        self.doubt(kind);
        let number = self.doubts;
        self.kind(kind).lacks_deletions = Some(number);
    }

    /// The kinds of which deletions are lost.
    pub(super) fn lacking_deletions(&self) -> impl Iterator<Item = &Kind> {
        self.kinds
            .iter()
            .filter(|(_, progress)| progress.lacks_deletions.is_some())
            .map(|(kind, _)| kind)
    }

    /// The number of the newest doubt.
    pub(super) fn doubts(&self) -> u64 {
        self.doubts
    }

    /// Whether all objects are to be listed anew.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.kinds.values().any(|progress| progress.doubt.is_some())
    }

    fn kind(&mut self, kind: &Kind) -> &mut KindProgress {
        let doubt = self.doubt_of_others;
        let unknown = || KindProgress { doubt, ..KindProgress::default() };
        self.kinds.entry(kind.clone()).or_insert_with(unknown)
    }

    fn look_for_loss(&mut self, kind: &Kind, delivery: impl Fn(Mark) -> Delivery) {
        if self.kind(kind).is_harmed(&delivery) {
            self.doubt(kind);
        }
    }

    fn look_for_losses(&mut self, delivery: impl Fn(Mark) -> Delivery) {
        self.doubts += 1;
        let mut is_any = false;
        for progress in self.kinds.values_mut().filter(|progress| progress.is_harmed(&delivery)) {
            progress.doubt(self.doubts);
            is_any = true;
        }
        self.doubts -= u64::from(!is_any);
    }

    /// What was kept of any kind is about to be given to the outbox.
    pub(super) fn before_sending(&mut self, mark: impl Fn(&Kind) -> Option<Mark>) {
        for (kind, progress) in &mut self.kinds {
            progress.unharmed = progress.unharmed.or_else(|| mark(kind));
        }
    }

    /// Begins to lead, where `delivered` was. All that came so far was given to the outbox, but of kinds that are
    /// in doubt.
    pub(super) fn begin(
        &mut self,
        delivered: Delivered,
        mark: impl Fn(&Kind) -> Option<Mark>,
        delivery: impl Fn(Mark) -> Delivery,
    ) {
        self.look_for_losses(&delivery);
        self.delivered = delivered;
        for (kind, progress) in &mut self.kinds {
            let now = mark(kind);
            let given = progress.reached.filter(|_| progress.doubt.is_none());
            progress.waiting = None;
            progress.newest = given.zip(now);
            progress.unharmed = now;
        }
    }

    /// What is delivered by now.
    pub(super) fn look(&mut self, delivery: impl Fn(Mark) -> Delivery) -> &Delivered {
        self.look_for_losses(&delivery);
        for (kind, progress) in &mut self.kinds {
            if let Some(version) = progress.look(&delivery) {
                self.delivered.set(kind.clone(), version);
            }
        }
        &self.delivered
    }
}

impl KindProgress {
    fn doubt(&mut self, number: u64) {
        (self.waiting, self.newest, self.unharmed) = (None, None, None);
        self.doubt = Some(number);
    }

    /// Ends the doubt where a snapshot did, and no deletion is missing.
    fn settle(&mut self) {
        if self.lacks_deletions.is_none() {
            self.doubt = self.doubt.filter(|doubt| Some(*doubt) > self.listed_through);
        }
    }

    /// What became of the census that was told last; None where none is waited for.
    fn look_at_census(&mut self, delivery: impl Fn(Mark) -> Delivery) -> Option<Delivery> {
        let Census { doubts, began, ended: Some(ended) } = self.census? else { return None };
        let became = match delivery(began) {
            Delivery::Uncertain => Delivery::Uncertain,
            _ => delivery(ended),
        };
        if became == Delivery::Acknowledged {
            self.lacks_deletions = self.lacks_deletions.filter(|lost| *lost > doubts);
            self.settle();
        }
        if became != Delivery::Waiting {
            self.census = None;
        }
        Some(became)
    }

    fn is_harmed(&self, delivery: impl Fn(Mark) -> Delivery) -> bool {
        self.unharmed.is_some_and(|mark| delivery(mark) == Delivery::Uncertain)
    }

    /// The newest version that is known to be delivered, where that is news.
    fn look(&mut self, delivery: impl Fn(Mark) -> Delivery) -> Option<u64> {
        let mut delivered = None;
        let waiting = self.waiting.take().or_else(|| self.newest.take());
        for (version, mark) in waiting.into_iter().chain(self.newest.take()) {
            match delivery(mark) {
                Delivery::Acknowledged => delivered = Some(version),
                Delivery::Waiting if self.waiting.is_none() => {
                    self.waiting = Some((version, mark));
                }
                Delivery::Waiting => self.newest = Some((version, mark)),
                // A mark is as harmed as those after it, which were asked for before.
                Delivery::Uncertain => return delivered,
            }
        }
        delivered
    }
}

#[cfg(test)]
mod tests;
