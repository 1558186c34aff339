use std::future::pending;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a start waits for the publisher. What is listed without it has to be listed again.
const FIRST_CONNECTION: Duration = Duration::from_secs(5);

/// From the start of one snapshot to the next: a link that flaps must not flood the API server.
const BETWEEN_SNAPSHOTS: Duration = Duration::from_secs(10);

/// From the start of one snapshot to the next where objects were dropped: a queue that is too small
/// for all objects must not have the API server list them without end.
const AFTER_LOSS: Duration = Duration::from_mins(1);

/// Tells when all objects are to be sent anew: whenever the link was connected anew, because
/// nobody knows what the publisher on the other end holds, and when some were dropped for want of room.
pub(crate) struct SnapshotTrigger {
    connected: watch::Receiver<bool>,
    /// Changes when objects were dropped and there is room again.
    losses: watch::Receiver<()>,
    last: Option<Instant>,
    due: Option<Instant>,
}

impl SnapshotTrigger {
    pub(crate) fn new(connected: watch::Receiver<bool>, losses: watch::Receiver<()>) -> Self {
        Self { connected, losses, last: None, due: None }
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
                None => self.wait_for_reason().await,
            }
        };
        tokio::time::sleep_until(due).await;
        self.due = None;
        self.last = Some(Instant::now());
    }

    async fn wait_for_reason(&mut self) {
        tokio::select! {
            // Where the link has ended, all reasons for snapshots have with it.
            Ok(()) = self.connected.changed() => {
                if *self.connected.borrow_and_update() {
                    self.plan(BETWEEN_SNAPSHOTS);
                }
            }
            Ok(()) = self.losses.changed() => self.plan(AFTER_LOSS),
            else => pending().await,
        }
    }

    fn plan(&mut self, after_last: Duration) {
        let now = Instant::now();
        let earliest = self.last.map_or(now, |last| last + after_last);
        self.due = Some(earliest.max(now));
    }
}

#[cfg(test)]
mod tests {
    use super::{AFTER_LOSS, BETWEEN_SNAPSHOTS, FIRST_CONNECTION, SnapshotTrigger};
    use std::time::Duration;
    use tokio::sync::watch;
    use tokio::time::{Instant, timeout};

    const SOON: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn the_first_snapshot_waits_for_the_link_but_not_for_ever() {
        let (_link, connected) = watch::channel(false);
        let (_losses, lost) = watch::channel(());
        let began = Instant::now();
        SnapshotTrigger::new(connected, lost).wait_for_first_connection().await;
        assert_eq!(began.elapsed().as_secs(), FIRST_CONNECTION.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_comes_late_makes_a_snapshot_due_at_once() {
        let (link, connected) = watch::channel(false);
        let (_losses, lost) = watch::channel(());
        let mut snapshots = SnapshotTrigger::new(connected, lost);
        snapshots.wait_for_first_connection().await;
        assert!(timeout(SOON, snapshots.due()).await.is_err(), "nothing is connected");
        link.send_replace(true);
        timeout(SOON, snapshots.due()).await.expect("a snapshot is due");
        assert!(timeout(Duration::from_secs(999), snapshots.due()).await.is_err(), "only one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_flaps_gets_a_snapshot_now_and_then() {
        let (link, connected) = watch::channel(true);
        let (_losses, lost) = watch::channel(());
        let mut snapshots = SnapshotTrigger::new(connected, lost);
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

    #[tokio::test(start_paused = true)]
    async fn what_was_dropped_is_sent_again_but_not_without_end() {
        let (_link, connected) = watch::channel(true);
        let (losses, lost) = watch::channel(());
        let mut snapshots = SnapshotTrigger::new(connected, lost);
        snapshots.wait_for_first_connection().await;
        for _ in 0..3 {
            let began = Instant::now();
            losses.send_replace(());
            snapshots.due().await;
            assert_eq!(began.elapsed().as_secs(), AFTER_LOSS.as_secs());
        }
        assert!(timeout(Duration::from_secs(999), snapshots.due()).await.is_err(), "no more");
    }
}
