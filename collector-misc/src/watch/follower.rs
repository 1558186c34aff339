//! Lists the objects of a kind, then follows their changes.

use super::answer::Answer;
use super::failure::{Failure, Status};
use super::kind::Presence;
use super::reason::Reason;
use super::request;
use super::teller::{Occasion, Teller};
use super::wire::{Items, Lines, Page, Piece};
use kube::Client;
use kube::runtime::watcher::DefaultBackoff;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// While a page comes, more of it comes within this time.
const PAGE_PATIENCE: Duration = Duration::from_secs(30);

/// A watch that says nothing for this while is not there any more: the server ends each before.
const WATCH_PATIENCE: Duration = Duration::from_mins(6);

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a server that does not know a kind is asked whether it does now.
const UNTIL_SERVED: Duration = Duration::from_mins(10);

/// A watch that ended sooner than this was no use: the next waits.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// How many pages may be on their way at once, of all kinds.
pub(crate) const PAGES_AT_ONCE: usize = 2;

/// What all watches ask.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) client: Client,
    /// One permit for each page that is on its way.
    pub(crate) pages: Arc<Semaphore>,
}

impl Server {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, pages: Arc::new(Semaphore::new(PAGES_AT_ONCE)) }
    }

    /// Reads a page of a list, handing on each object of it.
    pub(crate) async fn page(
        &self,
        teller: &Teller,
        token: &str,
        mut take: impl FnMut(Piece<'_>),
    ) -> Result<Page, Failure> {
        teller.room().await;
        // The semaphore is never closed.
        let _permit = self.pages.acquire().await;
        let request = request::page(&teller.kind, token).map_err(|error| malformed(&error))?;
        let mut answer = Answer::to(&self.client, request).await?;
        let mut items = Items::default();
        while let Some(chunk) = in_time(PAGE_PATIENCE, answer.chunk()).await? {
            items.push(&chunk, &mut take);
            teller.room().await;
        }
        let page = items.page();
        if !page.is_whole {
            return Err(Failure::new(Reason::Interrupted, "the list ended in its midst"));
        }
        if page.resource_version.is_empty() {
            return Err(Failure::new(Reason::Undecodable, "a list without resourceVersion"));
        }
        Ok(page.clone())
    }
}

/// Follows a kind for as long as it lives.
pub(crate) struct Follower {
    server: Server,
    teller: Arc<Teller>,
    /// The state that we stand at; None before the first list and when it is too old.
    version: Option<String>,
    is_first_list: bool,
    pauses: DefaultBackoff,
}

impl Follower {
    pub(crate) fn new(server: Server, teller: Arc<Teller>) -> Self {
        let pauses = DefaultBackoff::default();
        Self { server, teller, version: None, is_first_list: true, pauses }
    }

    /// Lists and follows. No failure of the API ends it.
    pub(crate) async fn run(mut self) {
        loop {
            let outcome = match self.version.take() {
                None => self.list().await,
                Some(version) => self.follow(version).await,
            };
            if let Err(failure) = outcome {
                self.recover(&failure).await;
            }
        }
    }

    /// All objects, page by page. A page that fails is asked for again; a list that became too old on its way goes on
    /// with what is there now, where the server offers it: the watch from its beginning on tells the rest.
    async fn list(&mut self) -> Result<(), Failure> {
        let occasion = if self.is_first_list { Occasion::FirstList } else { Occasion::List };
        self.teller.begin_list();
        let (mut token, mut version) = (String::new(), None);
        loop {
            let take = |piece: Piece<'_>| drop(self.teller.apply(piece, occasion));
            match self.server.page(&self.teller, &token, take).await {
                Ok(page) => {
                    version.get_or_insert(page.resource_version);
                    token = page.token;
                    self.teller.works();
                }
                Err(Failure { token: Some(next), .. }) if !token.is_empty() => token = next,
                Err(failure) if token.is_empty() || failure.reason == Reason::Gone => {
                    return Err(failure);
                }
                Err(failure) => {
                    self.recover(&failure).await;
                    continue;
                }
            }
            if token.is_empty() {
                break;
            }
        }
        self.teller.finish_list().await;
        if let Some(version) = &version {
            self.teller.reached(version);
        }
        self.is_first_list = false;
        self.version = version;
        Ok(())
    }

    /// What changes from a state on, until the server ends the watch.
    async fn follow(&mut self, version: String) -> Result<(), Failure> {
        let request =
            request::watch_from(&self.teller.kind, &version).map_err(|error| malformed(&error))?;
        self.version = Some(version);
        let mut answer = Answer::to(&self.server.client, request).await?;
        self.teller.works();
        let (began, mut lines) = (Instant::now(), Lines::default());
        while let Some(chunk) = in_time(WATCH_PATIENCE, answer.chunk()).await? {
            self.teller.room_at_observer().await;
            lines.push(&chunk);
            while let Some(line) = lines.next() {
                if let Some(version) = take_line(&self.teller, line)? {
                    self.teller.reached(&version);
                    self.version = Some(version);
                }
            }
        }
        if began.elapsed() < SHORTEST_WATCH {
            return Err(Failure::new(Reason::Interrupted, "the watch ended at once"));
        }
        Ok(())
    }

    /// Tells of a failure, and waits for as long as it takes.
    async fn recover(&mut self, failure: &Failure) {
        if failure.is_not_served() && self.teller.kind.presence == Presence::WhereServed {
            // What was told of it stays: one server of several may be older than the others.
            self.teller.report.listed();
            self.version = None;
            return tokio::time::sleep(UNTIL_SERVED).await;
        }
        self.teller.fail(failure);
        if failure.reason == Reason::Gone {
            self.version = None;
        }
        let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
        tokio::time::sleep(failure.pause.map_or(pause, |asked| asked.max(pause))).await;
    }
}

async fn in_time<T>(
    patience: Duration,
    next: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout(patience, next)
        .await
        .unwrap_or_else(|_| Err(Failure::new(Reason::Silent, "nothing came any more")))
}

fn malformed(error: &http::Error) -> Failure {
    Failure::new(Reason::Refused, format!("no request can be made: {error}"))
}

/// A line of a watch.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    what: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// What a bookmark holds, and every object.
#[derive(Deserialize)]
struct Bookmark {
    metadata: BookmarkMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BookmarkMetadata {
    resource_version: String,
}

/// Takes a line. Tells the state that the watch stands at then, where the line says it.
fn take_line(teller: &Teller, line: Piece<'_>) -> Result<Option<String>, Failure> {
    let bytes = match line {
        Piece::Whole(bytes) => bytes,
        Piece::TooLarge { beginning, .. } => {
            let is_deletion = beginning.starts_with(br#"{"type":"DELETED""#);
            return Ok(if is_deletion {
                teller.delete(line)
            } else {
                teller.apply(line, Occasion::Change)
            });
        }
    };
    let text = String::from_utf8_lossy(bytes);
    let line: Line<'_> = serde_json::from_str(&text).map_err(|error| undecodable(&error))?;
    let object = Piece::Whole(line.object.get().as_bytes());
    let version = match &*line.what {
        "ADDED" | "MODIFIED" => teller.apply(object, Occasion::Change),
        "DELETED" => teller.delete(object),
        "BOOKMARK" => None,
        "ERROR" => {
            let status: Status =
                serde_json::from_str(line.object.get()).map_err(|error| undecodable(&error))?;
            return Err(Failure::of_status(&status, None));
        }
        other => {
            let words = format!("a line of a watch of the unknown type {other:?}");
            return Err(Failure::new(Reason::Undecodable, words));
        }
    };
    // An object that could not be told of was passed by all the same.
    let bookmark = || serde_json::from_str::<Bookmark>(line.object.get()).ok();
    Ok(version.or_else(|| Some(bookmark()?.metadata.resource_version)))
}

fn undecodable(error: &serde_json::Error) -> Failure {
    Failure::new(Reason::Undecodable, format!("a line of a watch: {error}"))
}
