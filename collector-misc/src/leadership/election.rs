use std::time::Duration;
use tokio::time::Instant;

/// The longest that a Lease is believed to last, whatever it says: whoever may write it could otherwise end all sending
/// with one request.
const LONGEST_LEASE: Duration = Duration::from_mins(5);

/// How long things last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Durations {
    /// After this while without a renewal another replica takes the Lease.
    pub(crate) lease: Duration,
    /// After this while without a renewal a leader leads no more.
    pub(crate) renew_deadline: Duration,
    /// From one attempt to the next.
    pub(crate) retry: Duration,
}

/// What a Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The identity of who holds it; empty where nobody does.
    pub(crate) holder: String,
    /// How long it lasts without renewal.
    pub(crate) duration: Option<Duration>,
    /// When it was renewed, by the holder's clock. Only whether it changes counts.
    pub(crate) renewed_at: Option<String>,
}

/// What is to be done about a Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write our name into it: we hold it, or nobody does any more.
    Take,
    /// Another holds it.
    Wait,
}

/// The rules of client-go's leader election, without network: a Lease is held as long as it is seen to change within its
/// duration, by the observer's own clock. No clock is compared with another's.
#[derive(Debug)]
pub(crate) struct Election {
    identity: String,
    durations: Durations,
    seen: Option<(Claim, Instant)>,
    leads_until: Option<Instant>,
}

impl Election {
    pub(crate) fn new(identity: String, durations: Durations) -> Self {
        Self { identity, durations, seen: None, leads_until: None }
    }

    /// Takes note of a Lease that was read at `now`; None where there is none.
    pub(crate) fn see(&mut self, claim: Option<Claim>, now: Instant) -> Step {
        let Some(claim) = claim else {
            self.seen = None;
            return Step::Take;
        };
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != claim) {
            self.seen = Some((claim, now));
        }
        if self.is_held_by_another(now) { Step::Wait } else { Step::Take }
    }

    /// The Lease was written with our name, by a request that began at `asked_at`. Others count from the moment at which
    /// they see it, which is later: we stop before them.
    pub(crate) fn won(&mut self, claim: Claim, asked_at: Instant) -> Instant {
        let until = asked_at + self.durations.renew_deadline;
        self.seen = Some((claim, asked_at));
        self.leads_until = Some(until);
        until
    }

    /// We lead no more.
    pub(crate) fn lost(&mut self) {
        self.leads_until = None;
    }

    /// Until when we lead; None where we do not, or no longer at `now`.
    pub(crate) fn leads_until(&self, now: Instant) -> Option<Instant> {
        self.leads_until.filter(|until| now < *until)
    }

    /// Whether we began to lead and nobody said that we do no more: perhaps the time is over.
    pub(crate) fn thinks_it_leads(&self) -> bool {
        self.leads_until.is_some()
    }

    /// Another that holds the Lease, as far as is known at `now`.
    pub(crate) fn other_leader(&self, now: Instant) -> Option<&str> {
        let (claim, _) = self.seen.as_ref()?;
        self.is_held_by_another(now).then_some(&*claim.holder)
    }

    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    pub(crate) fn durations(&self) -> Durations {
        self.durations
    }

    fn is_held_by_another(&self, now: Instant) -> bool {
        let Some((claim, seen_at)) = &self.seen else { return false };
        let is_anothers = !claim.holder.is_empty() && claim.holder != self.identity;
        is_anothers && now < *seen_at + self.lasts(claim)
    }

    fn lasts(&self, claim: &Claim) -> Duration {
        claim.duration.unwrap_or(self.durations.lease).min(LONGEST_LEASE)
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Durations, Election, LONGEST_LEASE, Step};
    use std::time::Duration;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    fn election(identity: &str) -> Election {
        let durations =
            Durations { lease: 15 * SECOND, renew_deadline: 10 * SECOND, retry: 2 * SECOND };
        Election::new(identity.to_owned(), durations)
    }

    fn claim(holder: &str, renewed_at: &str) -> Claim {
        Claim {
            holder: holder.to_owned(),
            duration: Some(15 * SECOND),
            renewed_at: Some(renewed_at.to_owned()),
        }
    }

    #[test]
    fn a_lease_that_is_not_there_or_that_nobody_holds_is_taken() {
        let mut ours = election("a");
        assert_eq!(ours.see(None, Instant::now()), Step::Take);
        assert_eq!(ours.see(Some(Claim::default()), Instant::now()), Step::Take);
    }

    #[test]
    fn a_lease_is_taken_when_it_has_not_changed_for_its_duration_by_our_own_clock() {
        let (mut ours, start) = (election("a"), Instant::now());
        // A time that lies centuries back, or ahead, means nothing.
        for (number, renewed_at) in ["1970-01-01", "2999-01-01", "1970-01-01"].iter().enumerate() {
            let seen_at = start + 100 * SECOND * u32::try_from(number).unwrap();
            assert_eq!(ours.see(Some(claim("b", renewed_at)), seen_at), Step::Wait);
            assert_eq!(ours.see(Some(claim("b", renewed_at)), seen_at + 14 * SECOND), Step::Wait);
            assert_eq!(ours.other_leader(seen_at + 14 * SECOND), Some("b"));
        }
        assert_eq!(ours.see(Some(claim("b", "1970-01-01")), start + 215 * SECOND), Step::Take);
        assert_eq!(ours.other_leader(start + 215 * SECOND), None);
    }

    #[test]
    fn a_leader_stops_before_anybody_may_take_its_lease() {
        let (mut ours, mut theirs, start) = (election("a"), election("b"), Instant::now());
        // The request took four seconds to be done, and the other looked at once.
        let written = claim("a", "now");
        let until = ours.won(written.clone(), start);
        assert_eq!(theirs.see(Some(written.clone()), start + 4 * SECOND), Step::Wait);
        assert_eq!(ours.leads_until(start + 9 * SECOND), Some(until));
        assert_eq!(ours.leads_until(start + 10 * SECOND), None);
        assert!(ours.thinks_it_leads());
        assert_eq!(theirs.see(Some(written.clone()), start + 15 * SECOND), Step::Wait);
        assert_eq!(theirs.see(Some(written), start + 19 * SECOND), Step::Take);
    }

    #[test]
    fn our_own_lease_is_renewed_even_when_it_is_over() {
        let (mut ours, start) = (election("a"), Instant::now());
        ours.won(claim("a", "now"), start);
        assert_eq!(ours.see(Some(claim("a", "now")), start + 99 * SECOND), Step::Take);
    }

    #[test]
    fn a_lease_that_was_deleted_while_we_lead_is_made_again() {
        let (mut ours, start) = (election("a"), Instant::now());
        ours.won(claim("a", "now"), start);
        assert_eq!(ours.see(None, start + SECOND), Step::Take);
        assert!(ours.leads_until(start + SECOND).is_some());
    }

    #[test]
    fn no_lease_lasts_for_ever() {
        let (mut ours, start) = (election("a"), Instant::now());
        let mut endless = claim("b", "now");
        endless.duration = Some(Duration::from_hours(24 * 365));
        assert_eq!(ours.see(Some(endless.clone()), start), Step::Wait);
        assert_eq!(ours.see(Some(endless), start + LONGEST_LEASE), Step::Take);
    }

    #[test]
    fn a_lease_without_a_duration_lasts_as_long_as_ours() {
        let (mut ours, start) = (election("a"), Instant::now());
        let garbage = Claim { holder: "nobody knows".to_owned(), ..Claim::default() };
        assert_eq!(ours.see(Some(garbage.clone()), start), Step::Wait);
        assert_eq!(ours.see(Some(garbage), start + 15 * SECOND), Step::Take);
    }
}
