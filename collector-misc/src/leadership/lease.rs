use super::election::{Claim, Durations};
use super::hand_over::{DELIVERED, HandOver};
use super::trouble::Trouble;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use std::time::Duration;

/// What a Lease that was given back says, so that older clients take it at once, too.
const RELEASED_SECONDS: i32 = 1;

/// The Lease of the replicas (coordination.k8s.io/v1), read and written at the Kubernetes API. Each write is refused by
/// the server where another wrote since we read.
pub(super) struct LeaseObject {
    api: Api<Lease>,
    name: String,
    /// As it was read or written last; None where that is not known.
    known: Option<Lease>,
}

impl LeaseObject {
    pub(super) fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.to_owned(), known: None }
    }

    /// Reads it. None where there is none.
    pub(super) async fn read(&mut self) -> Result<Option<Claim>, Trouble> {
        self.known = None;
        self.known = self.api.get_opt(&self.name).await?;
        Ok(self.known.as_ref().map(claim))
    }

    /// Whether a write can be tried without reading first.
    pub(super) fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// What its last holder told.
    pub(super) fn hand_over(&self) -> Option<HandOver> {
        HandOver::parse(self.known.as_ref()?.metadata.annotations.as_ref()?.get(DELIVERED)?)
    }

    /// Writes it as held by `holder`, over what is known; makes it where there is none.
    pub(super) async fn hold(
        &mut self,
        holder: &str,
        durations: Durations,
        hand_over: &HandOver,
    ) -> Result<Claim, Trouble> {
        let now = MicroTime(Timestamp::now());
        let mut lease = self.known.take().unwrap_or_else(|| self.absent());
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(holder) {
            spec.acquire_time = Some(now.clone());
            let transitions = spec.lease_transitions.unwrap_or_default();
            spec.lease_transitions = Some(transitions.max(0).saturating_add(1));
        }
        spec.holder_identity = Some(holder.to_owned());
        spec.lease_duration_seconds = Some(seconds(durations.lease));
        spec.renew_time = Some(now);
        self.write(lease, hand_over).await
    }

    /// Gives it back.
    pub(super) async fn release(&mut self, hand_over: &HandOver) -> Result<(), Trouble> {
        let Some(mut lease) = self.known.take() else { return Ok(()) };
        let now = MicroTime(Timestamp::now());
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(RELEASED_SECONDS);
        spec.acquire_time = Some(now.clone());
        spec.renew_time = Some(now);
        self.write(lease, hand_over).await?;
        Ok(())
    }

    async fn write(&mut self, mut lease: Lease, hand_over: &HandOver) -> Result<Claim, Trouble> {
        let annotations = lease.metadata.annotations.get_or_insert_default();
        annotations.insert(DELIVERED.to_owned(), hand_over.to_text());
        let parameters = PostParams::default();
        let written = if lease.metadata.resource_version.is_some() {
            self.api.replace(&self.name, &parameters, &lease).await?
        } else {
            self.api.create(&parameters, &lease).await?
        };
        Ok(claim(self.known.insert(written)))
    }

    fn absent(&self) -> Lease {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        Lease { metadata, spec: Some(LeaseSpec::default()) }
    }
}

fn claim(lease: &Lease) -> Claim {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Claim {
        holder: spec.holder_identity.unwrap_or_default(),
        duration: seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs),
        renewed_at: spec.renew_time.map(|time| time.0.to_string()),
    }
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
