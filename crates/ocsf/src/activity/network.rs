use super::{system, with_outcome};
use crate::class::{Activity, NETWORK_ACTIVITY, OTHER};
use crate::network;
use crate::object::Object;
use crate::scene::Scene;
use event_model::{Flow, NetworkAct, NetworkEvent};
use serde_json::Value;

/// The error number of a connection that the other end refused.
const ECONNREFUSED: u16 = 111;

pub fn of_network(scene: &Scene<'_>, act: &NetworkEvent) -> Value {
    let socket = act.path.as_deref().filter(|path| !path.is_empty());
    if act.local.is_none() && act.remote.is_none() && socket.is_none() {
        return without_ends(scene, act);
    }
    let connection = network::connection(act);
    let socket = socket.map(|path| Object::new().with("name", path).with_choice("type", OTHER_END));
    let event = scene
        .begin(NETWORK_ACTIVITY, activity(act))
        .with("actor", scene.actor())
        .with("connection_info", connection.info)
        .with_some("src_endpoint", connection.source)
        .with_some("dst_endpoint", connection.destination.or(socket));
    let event = match act.flow {
        Some(flow) => with_flow(event, flow),
        None => event,
    };
    scene.finish(with_outcome(event, act.error.map(u64::from)), unmapped(act))
}

/// A Unix socket is known by its path.
const OTHER_END: (u32, &str) = (99, "Unix Socket");

/// A socket that was made, and has no address yet.
fn without_ends(scene: &Scene<'_>, act: &NetworkEvent) -> Value {
    let event = system::call(scene, act.act.name()).with("actor", scene.actor());
    scene.finish(with_outcome(event, act.error.map(u64::from)), unmapped(act))
}

fn activity(act: &NetworkEvent) -> Activity<'static> {
    match (act.act, act.error) {
        (NetworkAct::Connect, Some(ECONNREFUSED)) => (5, "Refuse"),
        (NetworkAct::Connect | NetworkAct::Accept, Some(error)) if error > 0 => (4, "Fail"),
        (NetworkAct::Connect | NetworkAct::Accept, _) => (1, "Open"),
        (NetworkAct::Close, _) => (2, "Close"),
        (NetworkAct::Datagram, _) => (6, "Traffic"),
        (NetworkAct::Listen, _) => (7, "Listen"),
        (NetworkAct::Bind, _) => (OTHER, "Bind"),
        (NetworkAct::Socket, _) => (OTHER, "Socket"),
    }
}

/// What went over it. In and out are as the source of the connection sees them.
fn with_flow(event: Object, flow: Flow) -> Object {
    let (bytes_in, bytes_out) = if flow.inbound {
        (flow.bytes_sent, flow.bytes_received)
    } else {
        (flow.bytes_received, flow.bytes_sent)
    };
    let traffic = Object::new()
        .with("bytes", long(bytes_in.saturating_add(bytes_out)))
        .with("bytes_in", long(bytes_in))
        .with("bytes_out", long(bytes_out));
    event.with("traffic", traffic).with("duration", long(flow.duration / 1_000_000))
}

/// The schema's numbers have a sign.
fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unmapped(act: &NetworkEvent) -> Object {
    Object::new()
        .with("act", act.act.name())
        .with("address_family", act.family)
        .with("socket_type", act.socket_type)
        .with_some("backlog", act.backlog)
}
