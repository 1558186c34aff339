use super::metrics;
use super::trouble::Trouble;
use service_runtime::Part;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Tells how the election stands: to the kubelet by readiness, to the backend by a problem, to people by the log.
pub(super) struct Standing {
    lease: String,
    part: Part,
    problems: watch::Sender<Option<String>>,
    /// How long nobody may lead before that is a problem.
    patience: Duration,
    leaderless_since: Option<Instant>,
    trouble: Option<Trouble>,
}

impl Standing {
    pub(super) fn new(
        lease: String,
        part: Part,
        problems: watch::Sender<Option<String>>,
        patience: Duration,
    ) -> Self {
        Self { lease, part, problems, patience, leaderless_since: None, trouble: None }
    }

    /// The Lease was read or written.
    pub(super) fn works(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!(lease = self.lease, "the Lease can be used again");
        }
    }

    pub(super) fn fails(&mut self, trouble: Trouble) {
        metrics::error(trouble.reason());
        if trouble == Trouble::Conflict {
            return;
        }
        let is_known = self.trouble.as_ref().is_some_and(|it| it.reason() == trouble.reason());
        if !is_known {
            tracing::warn!(
                lease = self.lease,
                reason = trouble.reason(),
                "cannot use the Lease: {trouble}"
            );
        }
        self.trouble = Some(trouble);
    }

    pub(super) fn leads(&mut self) {
        self.leaderless_since = None;
        self.tell(None);
        self.part.ready_as("leads");
    }

    /// No server lets us use a Lease, so nobody else leads by it either.
    pub(super) fn leads_without_lease(&mut self) {
        self.leaderless_since = None;
        let problem = format!(
            "leading without the Lease {}, so that every replica sends everything: {}",
            self.lease,
            self.words()
        );
        self.part.ready_as(&*problem);
        self.tell(Some(problem));
    }

    pub(super) fn stands_by(&mut self, leader: &str) {
        self.leaderless_since = None;
        self.tell(None);
        self.part.ready_as(format!("stands by; {leader} leads"));
    }

    /// Nobody is known to lead.
    pub(super) fn is_leaderless(&mut self, now: Instant) {
        let since = *self.leaderless_since.get_or_insert(now);
        if now.duration_since(since) < self.patience {
            return;
        }
        let problem = format!(
            "no collector-misc is known to lead by the Lease {}, so what changes in the cluster is not sent: {}",
            self.lease,
            self.words()
        );
        self.part.not_ready(&*problem);
        self.tell(Some(problem));
    }

    fn words(&self) -> String {
        self.trouble.as_ref().map_or_else(|| "others write it, too".to_owned(), ToString::to_string)
    }

    fn tell(&self, problem: Option<String>) {
        self.problems.send_if_modified(|before| {
            let is_news = *before != problem;
            *before = problem;
            is_news
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Standing, Trouble};
    use service_runtime::Service;
    use std::time::Duration;
    use tokio::sync::watch;
    use tokio::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn that_nobody_leads_is_told_when_it_lasts() {
        let (problems, problem) = watch::channel(None);
        let service = Service::default();
        let part = service.part("leadership");
        let mut standing = Standing::new("defender/misc".to_owned(), part, problems, PATIENCE);
        let start = Instant::now();
        standing.stands_by("misc-2");
        assert_eq!(
            service.readiness_report(),
            (true, "[+]leadership ready: stands by; misc-2 leads\n".to_owned())
        );
        standing.fails(Trouble::Forbidden);
        standing.is_leaderless(start);
        standing.is_leaderless(start + PATIENCE / 2);
        assert_eq!(*problem.borrow(), None);
        standing.is_leaderless(start + PATIENCE);
        let told = problem.borrow().clone().unwrap_or_default();
        assert!(told.contains("defender/misc") && told.contains("the chart's Role"), "{told}");
        assert!(!service.readiness_report().0);
        standing.works();
        standing.leads();
        assert_eq!(*problem.borrow(), None);
        assert_eq!(service.readiness_report(), (true, "[+]leadership ready: leads\n".to_owned()));
    }
}
