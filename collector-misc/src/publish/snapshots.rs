use super::publisher::Publisher;
use super::turn::Role;
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

/// The same where something else was lost: what the publisher refuses for good it refuses again.
const AFTER_DOUBT: Duration = Duration::from_mins(10);

/// Whatever was lost unseen is there again after this time.
const AT_LEAST_EVERY: Duration = Duration::from_hours(24);

/// What makes a snapshot due.
pub(super) struct Reasons {
    pub(super) connected: watch::Receiver<bool>,
    /// Changes when objects were dropped and there is room again.
    pub(super) losses: watch::Receiver<()>,
    /// Changes when something else may not have been sent.
    pub(super) doubts: watch::Receiver<u64>,
    pub(super) role: watch::Receiver<Role>,
}

/// Tells when all objects are to be sent anew: whenever the link was connected anew, because
/// nobody knows what the publisher on the other end holds, when some were dropped for want of room or may be lost
/// otherwise, when this replica begins to lead and may not know all that its predecessor left unsent, and once a day. Never
/// while another leads or nothing is connected: reasons are remembered until then.
pub(crate) struct SnapshotTrigger {
    reasons: Reasons,
    /// Who is told that a snapshot of objects begins.
    publisher: Option<Publisher>,
    /// When the last one began; before the first, when this was made.
    last: Option<Instant>,
    made: Instant,
    due: Option<Instant>,
}

impl SnapshotTrigger {
    pub(super) fn new(reasons: Reasons, publisher: Option<Publisher>) -> Self {
        Self { reasons, publisher, last: None, made: Instant::now(), due: None }
    }

    /// Waits for the link and for whose turn it is, but not for long: an API that refuses us is to be told soon. A
    /// snapshot begins after this.
    pub(crate) async fn wait_for_first_connection(&mut self) {
        let first = async {
            let Reasons { connected, role, .. } = &mut self.reasons;
            let is_connected = connected.wait_for(|connected| *connected).await.is_ok();
            is_connected && role.wait_for(|role| *role != Role::Undecided).await.is_ok()
        };
        let is_connected = tokio::time::timeout(FIRST_CONNECTION, first).await == Ok(true);
        self.last = is_connected.then(Instant::now);
    }

    /// Resolves when the next snapshot is to begin, which it then does. May be dropped and called again.
    pub(crate) async fn due(&mut self) {
        loop {
            let due = self.can_begin().then(|| self.next());
            let begin = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                reason = self.reasons.next() => {
                    if let Some(after_last) = reason {
                        self.plan(after_last);
                    }
                }
                () = begin => return self.begin(),
            }
        }
    }

    /// The snapshot that began last was not told whole: it is due again.
    pub(crate) fn was_cut_short(&mut self) {
        self.plan(BETWEEN_SNAPSHOTS);
    }

    fn can_begin(&self) -> bool {
        let leads = matches!(*self.reasons.role.borrow(), Role::Leader { .. });
        leads && *self.reasons.connected.borrow()
    }

    fn next(&self) -> Instant {
        let daily = self.last.unwrap_or(self.made) + AT_LEAST_EVERY;
        self.due.map_or(daily, |due| due.min(daily))
    }

    fn begin(&mut self) {
        (self.last, self.due) = (Some(Instant::now()), None);
        let mended = self.publisher.as_ref().map(Publisher::begin_snapshot);
        let newest = *self.reasons.doubts.borrow_and_update();
        if mended.is_some_and(|mended| newest > mended) {
            self.plan(AFTER_DOUBT);
        }
    }

    fn plan(&mut self, after_last: Duration) {
        let now = Instant::now();
        let earliest = self.last.map_or(now, |last| last + after_last).max(now);
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
    }
}

impl Reasons {
    /// Waits for a change. Tells how long after the last snapshot the next is to be, where it is a reason for one.
    async fn next(&mut self) -> Option<Duration> {
        tokio::select! {
            // Where the link has ended, all reasons for snapshots have with it.
            Ok(()) = self.connected.changed() => {
                self.connected.borrow_and_update().then_some(BETWEEN_SNAPSHOTS)
            }
            Ok(()) = self.losses.changed() => Some(AFTER_LOSS),
            Ok(()) = self.doubts.changed() => Some(AFTER_DOUBT),
            Ok(()) = self.role.changed() => {
                let lacks_changes = Role::Leader { lacks_changes: true };
                (*self.role.borrow_and_update() == lacks_changes).then_some(BETWEEN_SNAPSHOTS)
            }
            else => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        AFTER_DOUBT, AFTER_LOSS, AT_LEAST_EVERY, BETWEEN_SNAPSHOTS, FIRST_CONNECTION, Reasons,
        Role, SnapshotTrigger,
    };
    use std::time::Duration;
    use tokio::sync::watch;
    use tokio::time::{Instant, timeout};

    const SOON: Duration = Duration::from_millis(1);
    const LEADER: Role = Role::Leader { lacks_changes: false };

    fn trigger(
        connected: watch::Receiver<bool>,
        losses: watch::Receiver<()>,
        role: watch::Receiver<Role>,
    ) -> SnapshotTrigger {
        let doubts = watch::channel(0).1;
        SnapshotTrigger::new(Reasons { connected, losses, doubts, role }, None)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_snapshot_waits_for_the_link_but_not_for_ever() {
        let (_link, connected) = watch::channel(false);
        let (_losses, lost) = watch::channel(());
        let began = Instant::now();
        let (_roles, role) = watch::channel(LEADER);
        trigger(connected, lost, role).wait_for_first_connection().await;
        assert_eq!(began.elapsed().as_secs(), FIRST_CONNECTION.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_comes_late_makes_a_snapshot_due_at_once() {
        let (link, connected) = watch::channel(false);
        let (_losses, lost) = watch::channel(());
        let (_roles, role) = watch::channel(LEADER);
        let mut snapshots = trigger(connected, lost, role);
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
        let (_roles, role) = watch::channel(LEADER);
        let mut snapshots = trigger(connected, lost, role);
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
        let (_roles, role) = watch::channel(LEADER);
        let mut snapshots = trigger(connected, lost, role);
        snapshots.wait_for_first_connection().await;
        for _ in 0..3 {
            let began = Instant::now();
            losses.send_replace(());
            snapshots.due().await;
            assert_eq!(began.elapsed().as_secs(), AFTER_LOSS.as_secs());
        }
        assert!(timeout(Duration::from_secs(999), snapshots.due()).await.is_err(), "no more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_sends_no_snapshot_and_a_leader_that_lacks_changes_does() {
        let (link, connected) = watch::channel(true);
        let (_losses, lost) = watch::channel(());
        let (roles, role) = watch::channel(Role::Standby);
        let mut snapshots = trigger(connected, lost, role);
        snapshots.wait_for_first_connection().await;
        assert!(timeout(Duration::from_secs(999), snapshots.due()).await.is_err(), "it stands by");
        roles.send_replace(LEADER);
        assert!(timeout(Duration::from_secs(999), snapshots.due()).await.is_err(), "it has all");
        roles.send_replace(Role::Standby);
        link.send_replace(true);
        assert!(timeout(Duration::from_secs(999), snapshots.due()).await.is_err(), "it stands by");
        roles.send_replace(LEADER);
        timeout(SOON, snapshots.due()).await.expect("the reconnect is remembered");
        roles.send_replace(Role::Leader { lacks_changes: true });
        timeout(BETWEEN_SNAPSHOTS, snapshots.due()).await.expect("a snapshot is due");
    }

    #[tokio::test(start_paused = true)]
    async fn a_snapshot_that_is_due_when_another_leads_is_not_sent() {
        let (link, connected) = watch::channel(true);
        let (_losses, lost) = watch::channel(());
        let (roles, role) = watch::channel(LEADER);
        let mut snapshots = trigger(connected, lost, role);
        snapshots.wait_for_first_connection().await;
        link.send_replace(true);
        assert!(timeout(SOON, snapshots.due()).await.is_err(), "too early");
        roles.send_replace(Role::Standby);
        assert!(timeout(Duration::from_secs(999), snapshots.due()).await.is_err(), "it stands by");
        roles.send_replace(LEADER);
        timeout(SOON, snapshots.due()).await.expect("it is due still");
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_tells_all_objects_once_a_day_and_a_standby_never() {
        let (_link, connected) = watch::channel(true);
        let (_losses, lost) = watch::channel(());
        let (roles, role) = watch::channel(Role::Standby);
        let mut snapshots = trigger(connected, lost, role);
        snapshots.wait_for_first_connection().await;
        assert!(timeout(3 * AT_LEAST_EVERY, snapshots.due()).await.is_err(), "it stands by");
        roles.send_replace(LEADER);
        timeout(SOON, snapshots.due()).await.expect("days have gone by");
        let began = Instant::now();
        snapshots.due().await;
        assert_eq!(began.elapsed().as_secs(), AT_LEAST_EVERY.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_doubt_is_sent_again_and_so_is_a_snapshot_that_was_cut_short() {
        let (_link, connected) = watch::channel(true);
        let (_losses, losses) = watch::channel(());
        let (_roles, role) = watch::channel(LEADER);
        let (doubt, doubts) = watch::channel(0);
        let reasons = Reasons { connected, losses, doubts, role };
        let mut snapshots = SnapshotTrigger::new(reasons, None);
        snapshots.wait_for_first_connection().await;
        let began = Instant::now();
        doubt.send_replace(1);
        snapshots.due().await;
        assert_eq!(began.elapsed().as_secs(), AFTER_DOUBT.as_secs());
        snapshots.was_cut_short();
        timeout(2 * BETWEEN_SNAPSHOTS, snapshots.due()).await.expect("it is due again");
    }
}
