//! Objects of the Kubernetes API: as they are, and how they came to be so.
//!
//! States come twice, late, in any order and from two sources: what a leader wrote before it died arrives an hour behind
//! what its successor tells. So nothing here depends on the order of arrival:
//!
//! - A state is known by (cluster, uid, resource version). The API server's versions are decimal numbers that grow, and are
//!   compared as such. One that is none says nothing of order: it counts as newer than all before it.
//! - The present state is the one of the greatest version. That an object is gone is final for its uid.
//! - Who is gone though no deletion of it arrived, censuses tell ([`census`]).
//! - The log holds the contents (all but the version) in the order of their versions, each as often as it follows upon
//!   another. It is the same after any order of arrival, [`history::MOST_SAME`] repeated tellings of one content provided; when a
//!   change was observed is when the first of its versions arrived.

mod census;
mod change_query;
mod content;
mod difference;
mod history;
mod image_query;
mod object_query;
mod present;
#[cfg(test)]
mod tests;
mod version;

use super::publisher::Publisher;
use event_model::{KubernetesObject, Timestamp};
use history::History;
use present::{Place, Present};
use rusqlite::Connection;
use version::{UNKNOWN, number};

pub use change_query::{Change, ChangeCursor, ChangeFilter, ChangeRecord};
pub use difference::{Difference, ImageChange};
pub use image_query::{ImageCursor, ImageFilter, ImagePlace, ImageRecord};
pub use object_query::{ObjectCursor, ObjectFilter, ObjectRecord};

pub(crate) use census::put as put_census;
pub(crate) use change_query::page as changes;
pub(crate) use image_query::page as images;
pub(crate) use object_query::{by_uid, owners, page as objects};

/// Takes note of a state, or that the object is gone.
pub(crate) fn put(
    state: &Connection,
    publisher: &Publisher,
    object: &KubernetesObject,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let place = Place { state, cluster: &publisher.cluster, uid: &object.uid };
    let present = place.read()?;
    if object.deleted {
        return put_deletion(&place, object, present.as_ref(), now);
    }
    put_state(&place, object, present, now)
}

fn put_state(
    place: &Place<'_>,
    object: &KubernetesObject,
    present: Option<Present>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let newest = present.as_ref().map_or(UNKNOWN, |present| present.version);
    let version = match number(&object.resource_version) {
        Some(version) => version,
        None if present
            .as_ref()
            .is_some_and(|present| content::is_same(&present.object, object)) =>
        {
            return place.seen(now);
        }
        None => newest.saturating_add(1),
    };
    let history = History { place, now };
    match present {
        Some(present) if version == newest => {
            // Of one state two sensors may tell more or less: the one that tells more counts.
            if content::tells_more(object, &present.object) {
                return place.update(object, version, now);
            }
            place.seen(now)
        }
        Some(present) if version < newest => history.insert(object, version, &present),
        Some(present) => {
            history.append(object, version, &present)?;
            place.update(object, version, now)?;
            if newest == UNKNOWN { history.name_deletion(object) } else { Ok(()) }
        }
        None => {
            history.begin(object, version)?;
            place.insert(object, version, None, now)?;
            census::look(place, now)
        }
    }
}

/// The notice of a deletion may be bare: what was known before stays.
fn put_deletion(
    place: &Place<'_>,
    object: &KubernetesObject,
    present: Option<&Present>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    match present {
        None => place.insert(object, UNKNOWN, Some(now), now)?,
        Some(present) => {
            let is_bare = present.version == UNKNOWN && present.is_deleted;
            if is_bare && content::tells_more(object, &present.object) {
                place.update(object, UNKNOWN, now)?;
            }
            place.delete(now)?;
        }
    }
    let known = present.map_or(object, |present| &present.object);
    let named = if known.kind.is_empty() { object } else { known };
    History { place, now }.end(object, named)
}
