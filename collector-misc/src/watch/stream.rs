//! The watch of one kind, from the API's events to records.

use super::bounds::bounded;
use super::health::{Health, KindReport};
use super::metrics;
use super::reason::{Reason, chain};
use super::strategy::Strategy;
use super::watched::Watched;
use crate::index::{Change, Index};
use crate::publish::{Publisher, SnapshotTrigger};
use event_model::KubernetesObject;
use futures::StreamExt;
use kube::runtime::watcher::{DefaultBackoff, Error as WatchError, Event};
use kube::{Api, Client};
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// While listing, the next object or page comes within this time, or the list is begun anew.
const LISTING_PATIENCE: Duration = Duration::from_secs(30);

/// A watch in trouble that met no more errors for this while, which is longer than the longest
/// pause between attempts, is well again: a quiet watch brings nothing that would prove it.
const WELL_AGAIN: Duration = Duration::from_secs(90);

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Watches all objects of a kind and sends what changes.
pub(crate) struct Watch<K> {
    api: Api<K>,
    index: Index,
    publisher: Publisher,
    report: KindReport,
    strategy: Strategy,
    pauses: DefaultBackoff,
    is_listing: bool,
    is_in_trouble: bool,
    /// Listed objects are sent even where they did not change.
    is_snapshot: bool,
}

/// Why a stream of events is begun anew.
enum Restart {
    /// The server does not offer the strategy.
    OtherStrategy,
    /// What we know is too old, or the server fell silent.
    List,
}

impl<K: Watched> Watch<K> {
    /// The watch, and its place in `health`.
    pub(crate) fn new(client: Client, publisher: Publisher, health: &Health) -> Self {
        Self {
            api: Api::all(client),
            index: Index::default(),
            publisher,
            report: health.kind(K::PLURAL),
            strategy: Strategy::Streamed,
            pauses: DefaultBackoff::default(),
            is_listing: true,
            is_in_trouble: false,
            is_snapshot: true,
        }
    }

    /// Watches until `shutdown`. No failure of the API ends it.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), Infallible> {
        let mut snapshots = self.publisher.snapshots();
        tokio::select! {
            () = self.list_and_follow(&mut snapshots) => {}
            () = shutdown.cancelled() => {}
        }
        Ok(())
    }

    async fn list_and_follow(&mut self, snapshots: &mut SnapshotTrigger) {
        snapshots.wait_for_first_connection().await;
        loop {
            tokio::select! {
                restart = self.follow() => {
                    if matches!(restart, Restart::OtherStrategy) {
                        tracing::info!(kind = K::KIND, "the server has no streaming lists: listing page by page");
                        self.strategy = Strategy::Paged;
                    }
                }
                () = snapshots.due() => {
                    tracing::info!(kind = K::KIND, "the publisher may lack objects: sending a snapshot of all");
                    self.is_snapshot = true;
                }
            }
        }
    }

    /// Lists, then follows changes, until that has to be begun anew.
    async fn follow(&mut self) -> Restart {
        let stream = kube::runtime::watcher(self.api.clone(), self.strategy.config());
        let mut stream = pin!(stream);
        self.is_listing = true;
        loop {
            let next = tokio::select! {
                next = stream.next() => next,
                () = tokio::time::sleep(self.patience()) => {
                    match self.nothing_came() {
                        Some(restart) => return restart,
                        None => continue,
                    }
                }
            };
            match next {
                Some(Ok(event)) => self.take(event),
                Some(Err(error)) => {
                    if let Some(restart) = self.fail(&error).await {
                        return restart;
                    }
                }
                None => return Restart::List,
            }
        }
    }

    fn patience(&self) -> Duration {
        match (self.is_listing, self.is_in_trouble) {
            (true, _) => LISTING_PATIENCE,
            (false, true) => WELL_AGAIN,
            // The watcher itself renews a quiet watch every five minutes.
            (false, false) => Duration::MAX,
        }
    }

    /// Nothing came for as long as [`Self::patience`] allows.
    fn nothing_came(&mut self) -> Option<Restart> {
        if !self.is_listing {
            self.work_again();
            return None;
        }
        self.note(Reason::Silent, "no answer to a list");
        // A server that only ignores the wish for streaming stays silent after the last object.
        let may_be_ignored = self.strategy == Strategy::Streamed;
        Some(if may_be_ignored { Restart::OtherStrategy } else { Restart::List })
    }

    fn take(&mut self, event: Event<K>) {
        if !matches!(event, Event::Init) {
            self.work_again();
        }
        match event {
            Event::Init => {
                self.is_listing = true;
                self.index.begin_list();
            }
            Event::InitApply(object) | Event::Apply(object) => self.apply(object),
            Event::Delete(object) => self.delete(object),
            Event::InitDone => self.finish_list(),
        }
    }

    fn apply(&mut self, object: K) {
        let Some(object) = self.read(object) else { return };
        let change = self.index.put(&object);
        if let Some(change) = change {
            self.count(change);
        }
        let is_wanted = if self.is_listing && self.is_snapshot {
            // Without a connection it would only crowd the queue: the next one asks for a snapshot.
            self.publisher.is_connected()
        } else {
            change.is_some()
        };
        if is_wanted {
            self.publisher.send(object);
        }
    }

    /// The object in our words. Without its uid nothing could be done with it.
    fn read(&mut self, object: K) -> Option<KubernetesObject> {
        let object = bounded(object.into_object());
        if object.uid.is_empty() {
            self.note(Reason::Undecodable, "an object without uid");
            return None;
        }
        Some(object)
    }

    fn delete(&mut self, object: K) {
        let Some(mut object) = self.read(object) else { return };
        object.deleted = true;
        self.index.remove(&object.uid);
        self.count(Change::Deleted);
        self.publisher.send(object);
    }

    /// All objects were listed: those that were not are gone, deleted while nobody watched.
    fn finish_list(&mut self) {
        for uid in self.index.finish_list() {
            self.count(Change::Deleted);
            self.publisher.send_deletion(K::API_VERSION, K::KIND, uid);
        }
        let objects = self.index.len();
        tracing::info!(kind = K::KIND, objects, "listed");
        self.is_listing = false;
        self.is_snapshot = false;
        self.tell_count();
        self.report.listed();
    }

    /// Counts and tells a failure, waits, and says whether the stream is to be begun anew.
    async fn fail(&mut self, error: &WatchError) -> Option<Restart> {
        if self.strategy.is_refused_by(error) {
            return Some(Restart::OtherStrategy);
        }
        let reason = Reason::from(error);
        self.note(reason, &chain(error));
        let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
        tokio::time::sleep(pause).await;
        // The watcher lists anew by itself when the stream says "gone", but not when the start
        // of a watch does: it would ask for the same version for ever.
        let is_stuck = matches!(error, WatchError::WatchStartFailed(_)) && reason == Reason::Gone;
        is_stuck.then_some(Restart::List)
    }

    fn note(&mut self, reason: Reason, words: &str) {
        metrics::error(K::KIND, reason);
        if reason.is_ordinary() {
            tracing::info!(
                kind = K::KIND,
                reason = reason.name(),
                error = words,
                "resuming a watch"
            );
            return;
        }
        self.is_in_trouble = true;
        if self.report.trouble(Some(reason)) {
            tracing::warn!(
                kind = K::KIND,
                reason = reason.name(),
                error = words,
                "{}",
                reason.in_words(K::PLURAL)
            );
        } else {
            tracing::debug!(kind = K::KIND, reason = reason.name(), error = words, "still failing");
        }
    }

    fn work_again(&mut self) {
        if std::mem::take(&mut self.is_in_trouble) && self.report.trouble(None) {
            tracing::info!(kind = K::KIND, "watching works again");
        }
    }

    fn count(&self, change: Change) {
        metrics::change(K::KIND, change);
        if !self.is_listing {
            self.tell_count();
        }
    }

    fn tell_count(&self) {
        metrics::objects(K::KIND, self.index.len());
        self.report.objects(self.index.len());
    }
}
