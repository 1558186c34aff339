//! The Lease, as the API server has it.

use crate::poll::poll;
use api_server::ApiServer;
use serde_json::Value;

pub const LEASES: &str = "leases.coordination.k8s.io";
pub const LEASE: &str = "default/defender-collector-misc";
const DELIVERED: &str = "defender/delivered";

/// The pod that holds the Lease; None where nobody does.
pub fn holder(server: &ApiServer) -> Option<String> {
    let lease = server.look(|store| store.get(LEASES, LEASE))?;
    let holder = lease["spec"]["holderIdentity"].as_str()?;
    holder.split_once('_').map(|(pod, _)| pod.to_owned())
}

pub async fn expect_holder(server: &ApiServer, pod: &str) {
    poll(&format!("Lease of {pod}"), || match holder(server) {
        Some(holder) if holder == pod => Ok(()),
        other => Err(format!("one of {other:?}")),
    })
    .await;
}

/// Waits until somebody holds it.
pub async fn expect_some_holder(server: &ApiServer) -> String {
    poll("Lease that is held", || holder(server).ok_or_else(|| "nobody's".to_owned())).await
}

/// Waits until the leader has told that all until now is delivered. Who was ready before that needs nothing of what was
/// before.
pub async fn expect_all_delivered(server: &ApiServer) {
    for (kind, plural) in [("Pod", "pods"), ("Node", "nodes")] {
        let version = newest(server, plural);
        poll(&format!("word that {kind} {version} is delivered"), || {
            let delivered = delivered(server);
            let through = delivered["through"][kind].as_u64();
            if through >= Some(version) { Ok(()) } else { Err(delivered.to_string()) }
        })
        .await;
    }
}

/// The newest version among the objects of a resource.
fn newest(server: &ApiServer, plural: &str) -> u64 {
    server.look(|store| {
        let Some(objects) = store.collection(&store.resource(plural)) else { return 0 };
        objects.iter().map(|(_, object)| object.version()).max().unwrap_or_default()
    })
}

fn delivered(server: &ApiServer) -> Value {
    let lease = server.look(|store| store.get(LEASES, LEASE)).unwrap_or_default();
    let text = lease["metadata"]["annotations"][DELIVERED].as_str().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

/// Somebody writes something else into the Lease.
pub fn tamper(server: &ApiServer, change: impl FnOnce(&mut Value)) {
    server.change(|store| store.update(LEASES, LEASE, change));
}

/// Somebody writes into the annotation of the Lease.
pub fn tamper_with_delivered(server: &ApiServer, text: &str) {
    tamper(server, |lease| lease["metadata"]["annotations"][DELIVERED] = text.into());
}
