use std::future::pending;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a start waits for the publisher. What is listed without it has to be listed again.
const FIRST_CONNECTION: Duration = Duration::from_secs(5);

/// From the start of one snapshot to the next: a link that flaps must not flood the API server.
const BETWEEN_SNAPSHOTS: Duration = Duration::from_secs(10);

/// Tells when all objects are to be sent anew: whenever the link was connected anew, because
/// nobody knows what the publisher on the other end holds.
pub(crate) struct SnapshotTrigger {
    connected: watch::Receiver<bool>,
    last: Option<Instant>,
    due: Option<Instant>,
}

impl SnapshotTrigger {
    pub(crate) fn new(connected: watch::Receiver<bool>) -> Self {
        Self { connected, last: None, due: None }
    }

    /// Waits for the link, but not for long: an API that refuses us is to be told soon. A
    /// snapshot begins after this.
    pub(crate) async fn wait_for_first_connection(&mut self) {
        let connection = self.connected.wait_for(|connected| *connected);
        let is_connected =
            matches!(tokio::time::timeout(FIRST_CONNECTION, connection).await, Ok(Ok(_)));
        self.last = is_connected.then(Instant::now);
    }

    /// Resolves when the next snapshot is to begin. May be dropped and called again.
    pub(crate) async fn due(&mut self) {
        let due = loop {
            match self.due {
                Some(due) => break due,
                None => self.wait_for_connection().await,
            }
        };
        tokio::time::sleep_until(due).await;
        self.due = None;
        self.last = Some(Instant::now());
    }

    async fn wait_for_connection(&mut self) {
        if self.connected.changed().await.is_err() {
            // The link has ended, and with it all reasons for snapshots.
            pending::<()>().await;
        }
        if *self.connected.borrow_and_update() {
            let now = Instant::now();
            let earliest = self.last.map_or(now, |last| last + BETWEEN_SNAPSHOTS);
            self.due = Some(earliest.max(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BETWEEN_SNAPSHOTS, FIRST_CONNECTION, SnapshotTrigger};
    use std::time::Duration;
    use tokio::sync::watch;
    use tokio::time::{Instant, timeout};

    const SOON: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn the_first_snapshot_waits_for_the_link_but_not_for_ever() {
        let (_link, connected) = watch::channel(false);
        let began = Instant::now();
        SnapshotTrigger::new(connected).wait_for_first_connection().await;
        assert_eq!(began.elapsed().as_secs(), FIRST_CONNECTION.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_comes_late_makes_a_snapshot_due_at_once() {
        let (link, connected) = watch::channel(false);
        let mut snapshots = SnapshotTrigger::new(connected);
        snapshots.wait_for_first_connection().await;
        assert!(timeout(SOON, snapshots.due()).await.is_err(), "nothing is connected");
        link.send_replace(true);
        timeout(SOON, snapshots.due()).await.expect("a snapshot is due");
        assert!(timeout(Duration::from_secs(999), snapshots.due()).await.is_err(), "only one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_flaps_gets_a_snapshot_now_and_then() {
        let (link, connected) = watch::channel(true);
        let mut snapshots = SnapshotTrigger::new(connected);
        snapshots.wait_for_first_connection().await;
        let began = Instant::now();
        for _ in 0..100 {
            link.send_replace(false);
            link.send_replace(true);
            assert!(timeout(SOON, snapshots.due()).await.is_err(), "too early");
        }
        snapshots.due().await;
        assert_eq!(began.elapsed().as_secs(), BETWEEN_SNAPSHOTS.as_secs());
    }
}
