//! Why a connection that works is replaced by another.

use super::circuits::Circuits;
use super::credentials::Material;
use super::endpoint::Endpoint;
use super::session::Link;
use super::settings::Settings;
use crate::dial::{self, Hop};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// How often the files are compared with what was read: Kubernetes renews by swapping a symbolic link, which no
/// watch of the file itself would notice.
const LOOK_AT_FILES: Duration = Duration::from_secs(2);

/// A name must be without the address so many times in a row: resolvers take turns among many addresses.
const LOOKS_AT_NAME: u32 = 3;

/// What calls for another connection.
pub(crate) enum Reason {
    /// Certificate, key, token, authorities or the proxy's password changed on disk.
    Files,
    /// The address is no longer one of the name's.
    Name,
    /// An address that is preferred may be tried again.
    Preferred(usize, Endpoint),
}

impl Reason {
    /// The value of the `reason` label in metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Name => "name",
            Self::Preferred(..) => "preferred",
        }
    }
}

/// What is looked at for as long as a connection lasts, however often another is tried meanwhile.
pub(crate) struct Watch<'a> {
    link: &'a Link,
    settings: Settings<'a>,
    name: Name<'a>,
}

impl<'a> Watch<'a> {
    pub(crate) fn begin(link: &'a Link, settings: Settings<'a>) -> Self {
        Self { link, settings, name: Name::of(&link.hop, settings.backend.lookup_seconds) }
    }

    /// Waits for a reason to replace the connection.
    pub(crate) async fn reason(&mut self, circuits: &Circuits) -> Reason {
        let place = self.link.place;
        tokio::select! {
            () = files_change(&self.link.material, self.settings) => Reason::Files,
            () = self.name.changes() => Reason::Name,
            (place, endpoint) = circuits.turn_before(place) => Reason::Preferred(place, endpoint),
        }
    }
}

/// A file that can't be read is no change: it may be just about to be replaced.
async fn files_change(before: &Material, settings: Settings<'_>) {
    loop {
        tokio::time::sleep(LOOK_AT_FILES).await;
        match Material::read(settings) {
            Ok(now) if now != *before => return,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a file can't be read; the connection stays"),
        }
    }
}

/// The name that was connected to, and how often in a row it was without the address.
struct Name<'a> {
    hop: &'a Hop,
    looks: Interval,
    missed: u32,
}

impl<'a> Name<'a> {
    fn of(hop: &'a Hop, seconds: u64) -> Self {
        let interval = Duration::from_secs(seconds);
        let mut looks = tokio::time::interval_at(Instant::now() + interval, interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { hop, looks, missed: 0 }
    }

    /// Resolves when the address is no longer among the name's. May be dropped and called again.
    async fn changes(&mut self) {
        if self.hop.host.parse::<IpAddr>().is_ok() {
            return std::future::pending().await;
        }
        while self.missed < LOOKS_AT_NAME {
            self.looks.tick().await;
            // While the name can't be looked up, what is connected stays.
            let found = dial::addresses(&self.hop.host, self.hop.port).await;
            let Ok(found) = found else { continue };
            let is_there = found.iter().any(|address| address.ip() == self.hop.address.ip());
            self.missed = if is_there { 0 } else { self.missed + 1 };
        }
    }
}
