use super::failure::Failure;
use super::health::KindReport;
use super::kind::{Kind, Reading};
use super::metrics;
use super::reading::{self, Definition, Metadata, Told};
use super::reason::Reason;
use super::wire::Piece;
use crate::index::{Change, Index, News, Part};
use crate::publish::Publisher;
use event_model::{KubernetesObject, LossReason};
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// How often a list that waits for room looks for it.
const BETWEEN_LOOKS_FOR_ROOM: Duration = Duration::from_millis(20);

/// Who wants each object as the API server sent it, beside what is told of it.
pub(crate) trait Observer: Send + Sync {
    /// Whether more of a list may come.
    fn has_room(&self) -> bool;
    /// An object is new or changed.
    fn applied(&self, kind: &Kind, object: &str);
    /// It is gone.
    fn removed(&self, kind: &Kind, uid: &str);
    /// A definition of a kind, as it is now.
    fn defined(&self, uid: &str, definition: &Definition);
}

/// What becomes of the objects of a kind: each is read, compared with what was told of it, and told where it is new.
pub(crate) struct Teller {
    pub(crate) kind: Kind,
    pub(crate) report: KindReport,
    pub(super) publisher: Publisher,
    observer: Arc<dyn Observer>,
    index: Mutex<Index>,
    /// The list that runs has objects of which not even the uid can be read: what it lacks may be there.
    is_list_doubtful: AtomicBool,
    /// No census of it was told yet.
    pub(super) owes_census: AtomicBool,
}

/// Why we see an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The first list, of which nothing was told before.
    FirstList,
    /// A later one.
    List,
    /// It has changed.
    Change,
}

impl Teller {
    pub(crate) fn new(
        kind: Kind,
        publisher: Publisher,
        observer: Arc<dyn Observer>,
        report: KindReport,
    ) -> Self {
        Self {
            kind,
            report,
            publisher,
            observer,
            index: Mutex::default(),
            is_list_doubtful: AtomicBool::new(false),
            owes_census: AtomicBool::new(true),
        }
    }

    /// The same for another version of a kind: what was told of its objects still holds.
    pub(crate) fn succeeding(self, other: &Self) -> Self {
        let index = std::mem::take(&mut *other.index());
        Self { index: Mutex::new(index), ..self }
    }

    /// Waits until what is told would find room, but not for a publisher who is not there.
    pub(crate) async fn room(&self) {
        self.room_at_observer().await;
        self.publisher.room().await;
    }

    /// Waits until who observes has room.
    pub(crate) async fn room_at_observer(&self) {
        while !self.observer.has_room() {
            tokio::time::sleep(BETWEEN_LOOKS_FOR_ROOM).await;
        }
    }

    pub(crate) fn begin_list(&self) {
        self.is_list_doubtful.store(false, Ordering::Relaxed);
        self.index().begin_list();
    }

    /// An object as it is now. Returns the number of its state.
    pub(crate) fn apply(&self, piece: Piece<'_>, occasion: Occasion) -> Option<String> {
        let (metadata, told, text) = match self.read(piece) {
            Ok(read) => read,
            Err(unread) => return self.pass_by(unread),
        };
        let news = self.note(&metadata, &told);
        if news.is_other_state
            && let Some(text) = &text
        {
            self.observe(&metadata, text);
        }
        if let Some(change) = news.change {
            metrics::change(self.kind.label(), change);
        }
        let is_wanted = match occasion {
            // Without a connection it would only crowd the queue: the next one asks for a snapshot.
            Occasion::FirstList => self.publisher.is_connected(),
            Occasion::List | Occasion::Change => news.change.is_some(),
        };
        if is_wanted {
            self.send(told);
        }
        if occasion == Occasion::Change {
            self.tell_count();
        }
        Some(metadata.resource_version)
    }

    /// An object that a snapshot shows: told again, unless we know better.
    pub(crate) fn tell_again(&self, piece: Piece<'_>) {
        // What can't be read was counted by the watch.
        let Ok((metadata, told, _)) = self.try_to_read(piece) else { return };
        // What is not known is new or gone since: the watch tells it.
        if self.index().version(&metadata.uid).is_some_and(|known| known <= metadata.version()) {
            self.send(told);
        }
    }

    /// An object was deleted. Returns the number of the deletion.
    pub(crate) fn delete(&self, piece: Piece<'_>) -> Option<String> {
        let (metadata, told) = match self.read(piece) {
            Ok((metadata, told, _)) => (metadata, told),
            // That it is gone can be told all the same.
            Err(Unread { metadata }) => {
                let metadata = *metadata?;
                let bare = reading::whole(&self.kind, &metadata, KubernetesObject::default());
                (metadata, Told::Object(Box::new(bare)))
            }
        };
        self.index().remove(&metadata.uid);
        self.observer.removed(&self.kind, &metadata.uid);
        metrics::change(self.kind.label(), Change::Deleted);
        if let Told::Object(object) = told
            && self.is_told()
        {
            self.publisher.send(KubernetesObject { deleted: true, ..*object });
        }
        self.tell_count();
        Some(metadata.resource_version)
    }

    /// An object that can't be read is there all the same: no list is to find it gone.
    fn pass_by(&self, Unread { metadata }: Unread) -> Option<String> {
        if let Some(metadata) = &metadata {
            self.index().touch(&metadata.uid);
        } else {
            self.is_list_doubtful.store(true, Ordering::Relaxed);
            self.index().pass_by_unknown();
        }
        metadata.map(|metadata| metadata.resource_version)
    }

    /// Whether the backend is told of objects of this kind.
    pub(crate) fn is_told(&self) -> bool {
        !matches!(self.kind.reading, Reading::Unsent | Reading::Event)
    }

    /// All objects were listed: those that were not are gone, deleted while nobody watched.
    pub(crate) async fn finish_list(&self) {
        if !self.is_list_doubtful.load(Ordering::Relaxed) {
            let gone = self.index().finish_list();
            self.forget(gone).await;
        }
        let objects = self.index().len();
        tracing::info!(kind = %self.kind, objects, "listed");
        self.tell_count();
        self.report.listed();
    }

    /// Whether a snapshot that is told now arrives.
    pub(crate) fn takes_snapshot(&self) -> bool {
        self.publisher.takes_snapshot()
    }

    /// All states up to this number have been told, or differ in nothing that is.
    pub(crate) fn reached(&self, version: &str) {
        if !self.is_list_doubtful.load(Ordering::Relaxed)
            && let Ok(version) = version.parse()
        {
            self.index().complete_through(version);
        }
        self.publisher.reached(&self.kind.api_version(), &self.kind.kind, version);
    }

    /// All objects as they are now have been told again.
    pub(crate) fn told_all_again(&self) {
        self.publisher.listed(&self.kind.api_version(), &self.kind.kind);
    }

    /// Who is there behind a uid, at most so many; None where some may be missing.
    pub(super) fn part(&self, after: Option<Uuid>, most: usize) -> Option<Part> {
        self.index().part(after, most)
    }

    /// The kind is no more: none of its objects is there.
    pub(crate) async fn finish(&self) {
        let gone = self.index().drain();
        self.forget(gone).await;
        self.tell_count();
        self.report.listed();
    }

    async fn forget(&self, gone: Vec<String>) {
        for uid in gone {
            metrics::change(self.kind.label(), Change::Deleted);
            self.observer.removed(&self.kind, &uid);
            if self.is_told() {
                self.publisher.room_for_deletion().await;
                self.publisher.send_deletion(&self.kind.api_version(), &self.kind.kind, uid);
            }
        }
    }

    /// The object in our words, and its text where all of it is there. What can't be read is counted here and at the backend.
    fn read<'p>(&self, piece: Piece<'p>) -> Result<Read<'p>, Unread> {
        self.try_to_read(piece).map_err(|(reason, words)| {
            self.lose(reason, &words);
            Unread { metadata: metadata_alone(piece).map(Box::new) }
        })
    }

    fn try_to_read<'p>(&self, piece: Piece<'p>) -> Result<Read<'p>, (Reason, String)> {
        let read = match piece {
            Piece::Whole(bytes) => {
                // Nothing that is no UTF-8 is JSON; all else of it is told.
                let text = String::from_utf8_lossy(bytes);
                let read = reading::read(&self.kind, &text);
                let (metadata, told) =
                    read.map_err(|error| (Reason::Undecodable, error.to_string()))?;
                (metadata, told, Some(text))
            }
            Piece::TooLarge { beginning, bytes } => self.read_beginning(beginning, bytes)?,
        };
        if read.0.uid.is_empty() {
            return Err((Reason::Undecodable, "an object without uid".to_owned()));
        }
        Ok(read)
    }

    /// What is too large to be read is told by its name.
    fn read_beginning<'p>(
        &self,
        beginning: &[u8],
        bytes: usize,
    ) -> Result<Read<'p>, (Reason, String)> {
        let Some(metadata) = reading::beginning(beginning) else {
            return Err((Reason::TooLarge, format!("an object of {bytes} bytes without a name")));
        };
        let Metadata { namespace, name, .. } = &metadata;
        let words = format!("{namespace:?} {name} has {bytes} bytes");
        self.complain(Reason::TooLarge, &words);
        let attributes = [("truncated".to_owned(), format!("{bytes} bytes"))].into();
        let particular = KubernetesObject { attributes, ..KubernetesObject::default() };
        let told = if self.is_told() {
            Told::Object(Box::new(reading::whole(&self.kind, &metadata, particular)))
        } else {
            Told::Nothing
        };
        Ok((metadata, told, None))
    }

    fn note(&self, metadata: &Metadata, told: &Told) -> News {
        let mut index = self.index();
        let hash = match told {
            Told::Object(object) => index.hash(&Content(object)),
            // Each state of a note is news, and of what is not told each may be.
            Told::Event(_) | Told::Nothing => metadata.version(),
        };
        index.put(&metadata.uid, metadata.version(), hash)
    }

    fn observe(&self, metadata: &Metadata, text: &str) {
        self.observer.applied(&self.kind, text);
        if self.kind.reading == Reading::Definition
            && let Ok(definition) = Definition::read(text)
        {
            self.observer.defined(&metadata.uid, &definition);
        }
    }

    fn send(&self, told: Told) {
        match told {
            Told::Object(object) => self.publisher.send(*object),
            Told::Event(event) => self.publisher.send_event(*event),
            Told::Nothing => {}
        }
    }

    fn lose(&self, reason: Reason, words: &str) {
        self.complain(reason, words);
        let reason = match reason {
            Reason::TooLarge => LossReason::TooLarge,
            _ => LossReason::Undecodable,
        };
        self.publisher.report_loss(reason);
    }

    fn complain(&self, reason: Reason, words: &str) {
        metrics::error(self.kind.label(), reason);
        tracing::warn!(kind = %self.kind, reason = reason.name(), error = words, "an object that cannot be read");
    }

    /// Counts and tells what keeps the kind from being watched. Told once, until it works again.
    pub(crate) fn fail(&self, failure: &Failure) {
        let (kind, reason, error) = (&self.kind, failure.reason, &failure.words);
        metrics::error(kind.label(), reason);
        if reason.is_ordinary() {
            tracing::info!(%kind, reason = reason.name(), error, "resuming a watch");
        } else if self.report.trouble(Some(reason)) {
            let words = reason.in_words(&kind.to_string());
            tracing::warn!(%kind, reason = reason.name(), error, "{words}");
        } else {
            tracing::debug!(%kind, reason = reason.name(), error, "still failing");
        }
    }

    /// The server answers as it should.
    pub(crate) fn works(&self) {
        if self.report.trouble(None) {
            tracing::info!(kind = %self.kind, "watching works again");
        }
    }

    fn tell_count(&self) {
        let objects = self.index().len();
        metrics::objects(self.kind.label(), objects);
        self.report.objects(objects);
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An object in our words, and its text where all of it is there.
type Read<'p> = (Metadata, Told, Option<Cow<'p, str>>);

/// An object that can't be read, but perhaps what it is called.
struct Unread {
    metadata: Option<Box<Metadata>>,
}

/// The metadata of an object of which the rest can't be read; None where there is no uid.
fn metadata_alone(piece: Piece<'_>) -> Option<Metadata> {
    let metadata = match piece {
        Piece::Whole(bytes) => reading::read_metadata(&String::from_utf8_lossy(bytes))
            .ok()
            .or_else(|| reading::beginning(bytes)),
        Piece::TooLarge { beginning, .. } => reading::beginning(beginning),
    };
    metadata.filter(|metadata| !metadata.uid.is_empty())
}

/// What is told of an object but for the number of its state, as it is hashed.
struct Content<'o>(&'o KubernetesObject);

impl serde::Serialize for Content<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let KubernetesObject {
            api_version: _,
            kind: _,
            namespace,
            name,
            uid: _,
            resource_version: _,
            created_at,
            owners,
            labels,
            node,
            service_account,
            containers,
            attributes,
            configuration,
            deleted: _,
        } = self.0;
        let placed = (namespace, name, created_at, owners, labels);
        (placed, node, service_account, containers, attributes, configuration).serialize(serializer)
    }
}
