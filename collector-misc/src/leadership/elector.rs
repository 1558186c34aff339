use super::election::{Claim, Election, Step};
use super::hand_over::HandOver;
use super::lease::LeaseObject;
use super::metrics;
use super::standing::Standing;
use super::trouble::Trouble;
use crate::publish::Publisher;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Takes part in the election, and has the [`Publisher`] send or keep accordingly.
pub(crate) struct Elector {
    election: Election,
    lease: LeaseObject,
    node: String,
    publisher: Publisher,
    standing: Standing,
    /// What the last holder told, as read before the Lease was taken from it.
    predecessor: HandOver,
    /// Since when the server lets nobody use the Lease.
    refused_since: Option<Instant>,
}

impl Elector {
    pub(super) fn new(
        election: Election,
        lease: LeaseObject,
        node: String,
        publisher: Publisher,
        standing: Standing,
    ) -> Self {
        Self {
            election,
            lease,
            node,
            publisher,
            standing,
            predecessor: HandOver::default(),
            refused_since: None,
        }
    }

    /// Takes part until `shutdown`; where it leads, until `drained`, and gives the Lease back then.
    pub(super) async fn run(mut self, shutdown: CancellationToken, drained: CancellationToken) {
        loop {
            let began = Instant::now();
            self.attempt(began).await;
            let next = self.next_attempt(began);
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = drained.cancelled() => break,
                () = shutdown.cancelled(), if !self.election.thinks_it_leads() => break,
            }
        }
        if self.election.leads_until(Instant::now()).is_some() {
            self.give_back().await;
        }
    }

    /// At the end of our time, if that comes first: then it is to be told.
    fn next_attempt(&self, began: Instant) -> Instant {
        let next = began + self.election.durations().retry;
        self.election.leads_until(began).map_or(next, |until| next.min(until))
    }

    /// A request that hangs must leave time for another.
    fn patience(&self, began: Instant) -> Duration {
        let patience = self.election.durations().renew_deadline / 2;
        let left = self.election.leads_until(began).map(|until| until.duration_since(began));
        left.map_or(patience, |left| patience.min(left))
    }

    async fn attempt(&mut self, began: Instant) {
        if self.election.thinks_it_leads() && self.election.leads_until(began).is_none() {
            self.step_down("the Lease could not be renewed in time");
        }
        let patience = self.patience(began);
        let outcome = tokio::time::timeout(patience, self.acquire_or_renew(began)).await;
        match outcome.unwrap_or(Err(Trouble::TimedOut)) {
            Ok(Some(claim)) => self.lead(claim, began),
            Ok(None) => self.follow(),
            Err(trouble) => self.fail(trouble, began),
        }
    }

    /// The Lease as we wrote it; None where another holds it.
    async fn acquire_or_renew(&mut self, began: Instant) -> Result<Option<Claim>, Trouble> {
        let leads = self.election.leads_until(began).is_some();
        if leads && self.lease.is_known() {
            match self.write().await {
                // Somebody else wrote it, or removed it: see what stands there.
                Err(Trouble::Conflict | Trouble::Refused { .. }) => {}
                other => return other.map(Some),
            }
        }
        let claim = self.lease.read().await?;
        if self.election.see(claim, Instant::now()) == Step::Wait {
            return Ok(None);
        }
        if !leads {
            self.predecessor = self.lease.hand_over().unwrap_or_default();
        }
        self.write().await.map(Some)
    }

    async fn write(&mut self) -> Result<Claim, Trouble> {
        let hand_over = self.hand_over();
        let durations = self.election.durations();
        self.lease.hold(self.election.identity(), durations, &hand_over).await
    }

    /// What is delivered: by us where we lead, else still by who led before.
    fn hand_over(&self) -> HandOver {
        if self.election.thinks_it_leads() {
            HandOver { node: self.node.clone(), delivered: self.publisher.delivered() }
        } else {
            self.predecessor.clone()
        }
    }

    fn lead(&mut self, claim: Claim, began: Instant) {
        self.refused_since = None;
        self.standing.works();
        let is_new = !self.election.thinks_it_leads();
        let until = self.election.won(claim, began);
        if self.election.leads_until(Instant::now()).is_none() {
            self.step_down("the Lease was renewed too late");
            return;
        }
        self.lead_until(until, is_new);
        self.standing.leads();
    }

    fn lead_until(&mut self, until: Instant, is_new: bool) {
        if !is_new {
            self.publisher.lead_on(until);
            return;
        }
        let predecessor = std::mem::take(&mut self.predecessor);
        let lacks_changes = predecessor.node != self.node;
        self.publisher.take_over(until, predecessor.delivered, lacks_changes);
        tracing::info!(identity = self.election.identity(), "leads from now on");
        metrics::leads(true);
        metrics::transition("leader");
        metrics::kept(0);
    }

    fn follow(&mut self) {
        self.refused_since = None;
        self.standing.works();
        if self.election.thinks_it_leads() {
            self.step_down("another replica holds the Lease");
        }
        self.stand_by();
        if let Some(hand_over) = self.lease.hand_over() {
            metrics::kept(self.publisher.forget(&hand_over.delivered));
        }
        self.tell_who_leads();
    }

    fn fail(&mut self, trouble: Trouble, began: Instant) {
        let is_refused = matches!(trouble, Trouble::Forbidden | Trouble::Refused { code: 404, .. });
        if is_refused {
            self.refused_since.get_or_insert(began);
        }
        self.standing.fails(trouble);
        let now = Instant::now();
        if is_refused && self.is_refused_for_long(now) {
            self.lead_without_lease(began);
            return;
        }
        if self.election.thinks_it_leads() && self.election.leads_until(now).is_none() {
            self.step_down("the Lease could not be renewed in time");
        }
        self.tell_who_leads();
    }

    /// So long that nobody can lead by it any more.
    fn is_refused_for_long(&self, now: Instant) -> bool {
        let lease = self.election.durations().lease;
        self.refused_since.is_some_and(|since| now.duration_since(since) >= lease)
    }

    /// What two replicas send twice is dropped by the backend. What none sends is missing.
    fn lead_without_lease(&mut self, began: Instant) {
        let is_new = !self.election.thinks_it_leads();
        let until = self.election.won(Claim::default(), began);
        self.lead_until(until, is_new);
        self.standing.leads_without_lease();
    }

    fn tell_who_leads(&mut self) {
        let now = Instant::now();
        match self.election.other_leader(now) {
            Some(leader) => self.standing.stands_by(leader),
            None if self.election.leads_until(now).is_none() => self.standing.is_leaderless(now),
            None => {}
        }
    }

    fn step_down(&mut self, why: &str) {
        self.election.lost();
        tracing::warn!(identity = self.election.identity(), "leads no longer: {why}");
        metrics::transition("standby");
        self.stand_by();
    }

    fn stand_by(&mut self) {
        metrics::leads(false);
        self.publisher.stand_by();
    }

    /// All is drained: the next replica need not wait for the Lease to end.
    async fn give_back(&mut self) {
        let hand_over = self.hand_over();
        let given_back =
            tokio::time::timeout(self.election.durations().retry, self.release(&hand_over)).await;
        self.publisher.stand_by();
        match given_back.unwrap_or(Err(Trouble::TimedOut)) {
            Ok(()) => tracing::info!("gave the Lease back"),
            Err(trouble) => {
                tracing::warn!("could not give the Lease back, it ends by itself: {trouble}");
            }
        }
    }

    async fn release(&mut self, hand_over: &HandOver) -> Result<(), Trouble> {
        if !self.lease.is_known() {
            let claim = self.lease.read().await?;
            if claim.is_none_or(|claim| claim.holder != self.election.identity()) {
                return Ok(());
            }
        }
        self.lease.release(hand_over).await
    }
}
