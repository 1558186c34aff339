//! Alerts and events as the backend's API gives them in JSON, and as `replay --output json` does: back to what rules are asked of.
//! What the API does not tell (the name of a remote address, whether it was done to the sensor) is taken as not known.

use super::Choice;
use crate::occurrence::Occurrence;
use anyhow::{Context, bail};
use capture::{CapturedAct, CapturedRequest};
use event_model::{
    Alert, AlertSubject, AuditEvent, Container, Credentials, Event, EventKind, Executable, FileAct,
    FileEvent, NetworkAct, NetworkEvent, Process, ProcessKey, ProcessRef, SystemAct, Timestamp,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The events of these objects; where one is chosen by its alert, that one alone.
pub fn events(values: &[Value], choice: Option<Choice>) -> anyhow::Result<Vec<Occurrence>> {
    let is_chosen = |value: &&Value| match choice {
        Some(Choice::Alert(id)) => alert_of(value)["id"] == id.to_string(),
        _ => true,
    };
    values.iter().filter(is_chosen).map(event).collect()
}

/// A line of `replay --output json` has the alert in it.
fn alert_of(value: &Value) -> &Value {
    value.get("alert").filter(|alert| alert.is_object()).unwrap_or(value)
}

fn event(value: &Value) -> anyhow::Result<Occurrence> {
    let value = alert_of(value);
    if value.get("subject").is_some() {
        return own_alert(value);
    }
    if let Some(audit) = value.get("audit").filter(|audit| !audit.is_null()) {
        return request(audit).context("audit");
    }
    if value.get("verb").is_some() && value.get("audit_id").is_some() {
        return request(value);
    }
    if value.get("kind").is_some_and(Value::is_object) {
        return act(value);
    }
    bail!(
        "it is neither an alert, nor an event, nor a request as the backend's API gives them, nor a case (docs/rule-authors.md)"
    );
}

/// An alert in the words of the event model.
fn own_alert(value: &Value) -> anyhow::Result<Occurrence> {
    let alert: Alert = serde_json::from_value(value.clone()).context("the alert")?;
    match alert.subject {
        AlertSubject::Audit(event) => Ok(Occurrence::Request(CapturedRequest { number: 1, event })),
        AlertSubject::Act { event, process_chain, container } => {
            captured(event, process_chain, container)
        }
    }
}

fn captured(
    event: Event,
    chain: Vec<Process>,
    container: Option<Container>,
) -> anyhow::Result<Occurrence> {
    let mut chain = chain.into_iter().map(Arc::new);
    let process = chain.next().context("the event has no process")?;
    Ok(Occurrence::Act(CapturedAct {
        number: 1,
        event,
        process,
        ancestors: chain.collect(),
        container: container.map(Arc::new),
        remote_name: None,
        is_on_sensor: false,
        login_name: None,
        group_name: None,
    }))
}

fn request(value: &Value) -> anyhow::Result<Occurrence> {
    let mut event = value.as_object().context("it is no object")?.clone();
    let time = event.remove("time").unwrap_or(Value::Null);
    event.insert("stage_at".to_owned(), time);
    let event: AuditEvent = read(Value::Object(event))?;
    Ok(Occurrence::Request(CapturedRequest { number: 1, event: Box::new(event) }))
}

fn act(value: &Value) -> anyhow::Result<Occurrence> {
    let kind = kind(&value["kind"]).context("kind")?;
    let chain = match (&value["process_chain"], &value["process"]) {
        (Value::Array(chain), _) if !chain.is_empty() => chain.clone(),
        (_, process) if process.is_object() => vec![process.clone()],
        _ => bail!("it tells no process"),
    };
    let chain: anyhow::Result<Vec<Process>> = chain.iter().map(process).collect();
    let chain = chain.context("process")?;
    let container: Option<Container> = read(value["container"].clone()).context("container")?;
    let event = Event {
        time: read(value["time"].clone()).context("time")?,
        process: chain.first().map(|process| process.reference).unwrap_or_default(),
        container: container.as_ref().map(|container| container.id.clone()),
        kind,
    };
    captured(event, chain, container)
}

fn read<T: DeserializeOwned>(value: Value) -> anyhow::Result<T> {
    Ok(serde_json::from_value(value)?)
}

/// The API writes an act's name where the event model writes the kind of act.
fn kind(value: &Value) -> anyhow::Result<EventKind> {
    let name = value["type"].as_str().context("`type` is missing")?;
    let mut facts = value.as_object().context("it is no object")?.clone();
    facts.remove("type");
    let named = |facts: &mut Map<String, Value>| facts.insert("act".to_owned(), json!(name));
    if let Some(act) = FileAct::ALL.into_iter().find(|act| act.name() == name) {
        named(&mut facts);
        return file(act, facts).map(|event| EventKind::File(Box::new(event)));
    }
    if NetworkAct::ALL.into_iter().any(|act| act.name() == name) {
        named(&mut facts);
        return network(facts).map(|event| EventKind::Network(Box::new(event)));
    }
    if SystemAct::ALL.iter().any(|act| act.name() == name) {
        named(&mut facts);
        if let Some(target) = facts.get("target").filter(|target| target.is_object()).cloned() {
            facts.insert("target".to_owned(), with_generation(target));
        }
        return Ok(EventKind::System(Box::new(read(Value::Object(facts))?)));
    }
    if name == "dns" {
        for end in ["local", "server"] {
            facts.insert(end.to_owned(), endpoint(&value[end])?);
        }
        return Ok(EventKind::Dns(Box::new(read(Value::Object(facts))?)));
    }
    read(value.clone()).with_context(|| format!("`{name}`"))
}

fn file(act: FileAct, mut facts: Map<String, Value>) -> anyhow::Result<FileEvent> {
    let flags = facts.get("flags").and_then(Value::as_str).unwrap_or("0");
    let flags = FileEvent::flags_of(act, flags)
        .with_context(|| format!("`flags`: {flags:?} are no flags of {}", act.name()))?;
    facts.insert("flags".to_owned(), json!(flags));
    for unknown in ["mode", "inode"] {
        if facts.get(unknown).is_none_or(Value::is_null) {
            facts.insert(unknown.to_owned(), json!(0));
        }
    }
    read(Value::Object(facts))
}

fn network(mut facts: Map<String, Value>) -> anyhow::Result<NetworkEvent> {
    for end in ["local", "remote"] {
        let address = endpoint(facts.get(end).unwrap_or(&Value::Null))?;
        facts.insert(end.to_owned(), address);
    }
    read(Value::Object(facts))
}

/// `{address, port}` as one text.
fn endpoint(value: &Value) -> anyhow::Result<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let address = value["address"].as_str().context("an end has no `address`")?;
    let port = value["port"].as_u64().context("an end has no `port`")?;
    let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    Ok(json!(format!("{address}:{port}")))
}

fn with_generation(mut key: Value) -> Value {
    if let Some(key) = key.as_object_mut() {
        key.entry("generation").or_insert(json!(0));
    }
    key
}

fn process(value: &Value) -> anyhow::Result<Process> {
    let executable = &value["executable"];
    if !executable.is_object() {
        bail!("nothing but the process's id is known");
    }
    let user = &value["user"];
    let number = |value: &Value| -> anyhow::Result<u32> { read(value.clone()) };
    let reference: ProcessRef = read(value.clone())?;
    let parent: Option<ProcessKey> = read(value["parent"].clone()).context("parent")?;
    Ok(Process {
        reference,
        parent: parent.map(|key| ProcessRef { key, generation: 0 }),
        name: read(value["name"].clone()).context("name")?,
        executable: program(executable).context("executable")?,
        arguments: read(value["arguments"].clone()).context("arguments")?,
        arguments_truncated: value["arguments_truncated"] == true,
        working_directory: read(value["working_directory"].clone()).context("working_directory")?,
        credentials: Credentials {
            uid: number(&user["uid"]).context("user.uid")?,
            euid: number(&user["euid"]).context("user.euid")?,
            gid: number(&user["gid"]).context("user.gid")?,
            egid: number(&user["egid"]).context("user.egid")?,
            login_uid: read(user["login_uid"].clone()).context("user.login_uid")?,
            capabilities_effective: bits(&user["capabilities_effective"], 16)?,
            capabilities_permitted: bits(&user["capabilities_permitted"], 16)?,
        },
        user_name: read(user["name"].clone()).context("user.name")?,
        namespace_pid: number(&value["namespace_pid"]).context("namespace_pid")?,
        // Only rules on the node know it.
        process_group: 0,
        terminal: read(value["terminal"].clone()).context("terminal")?,
        container: read(value["container_id"].clone()).context("container_id")?,
        started_at: moment(&value["started_at"])?,
    })
}

fn program(value: &Value) -> anyhow::Result<Executable> {
    let text = |key: &str| -> anyhow::Result<String> {
        read(value[key].clone()).with_context(|| key.to_owned())
    };
    let mode = u32::try_from(bits(&value["mode"], 8)?).context("mode")?;
    Ok(Executable {
        path: text("path")?,
        invoked_as: text("invoked_as")?,
        inode: value["inode"].as_u64().unwrap_or(0),
        device: read(value["device"].clone()).context("device")?,
        // The API leaves the type out: what runs is a regular file.
        mode: 0o10_0000 | mode,
        owner: read(value["owner"].clone()).context("owner")?,
        changed_at: moment(&value["changed_at"])?,
        modified_at: moment(&value["modified_at"])?,
        upper_layer: value["upper_layer"] == true,
        memfd: value["memfd"] == true,
        unlinked: value["unlinked"] == true,
    })
}

/// A number that the API writes in digits of this base.
fn bits(value: &Value, base: u32) -> anyhow::Result<u64> {
    let text = value.as_str().context("digits are missing")?;
    u64::from_str_radix(text, base).with_context(|| format!("{text:?} is no number of base {base}"))
}

/// A time that is not known is 0.
fn moment(value: &Value) -> anyhow::Result<Timestamp> {
    let moment: Option<Timestamp> = read(value.clone())?;
    Ok(moment.unwrap_or_default())
}
