use super::{CLUSTER, CURSOR, LIMIT, NAMESPACE, NODE, PageRequest, SINCE, UNTIL};
use crate::api::cursor;
use crate::api::problem::Problem;
use crate::api::query::{Parameter, Query, bad_value};
use crate::store::{AuditCursor, AuditFilter, InventoryCursor, InventoryFilter};
use axum::http::Uri;
use event_model::{InventoryKind, PackageManager, TransportProtocol};

const IMAGE: Parameter = Parameter::text(
    "image",
    "In the image of this key: its digest, or its reference where no digest is known.",
);
const OF: Parameter =
    Parameter::text("of", "Of nodes themselves (\"node\") or of images (\"image\").");

pub(in crate::api) const PACKAGES: [Parameter; 9] = [
    CLUSTER,
    NODE,
    IMAGE,
    OF,
    Parameter::text("name", "Of exactly this name."),
    Parameter::text("version", "Of exactly this version."),
    Parameter::text("manager", "Of dpkg, apk, rpm, npm or python."),
    LIMIT,
    CURSOR,
];

pub(in crate::api) const IMAGES: [Parameter; 5] =
    [CLUSTER, NODE, Parameter::text("image", "Of this digest or reference."), LIMIT, CURSOR];

pub(in crate::api) const PORTS: [Parameter; 8] = [
    CLUSTER,
    NODE,
    Parameter::whole("port", "Of this number."),
    Parameter::text("protocol", "Of tcp or udp."),
    Parameter::text("process", "Held by a process of this name."),
    Parameter::text(
        "container",
        "In this container: its id, or 12 or more of the id's first digits.",
    ),
    LIMIT,
    CURSOR,
];

pub(in crate::api) const USERS: [Parameter; 7] =
    [CLUSTER, NODE, IMAGE, OF, Parameter::text("name", "Of exactly this name."), LIMIT, CURSOR];

pub(in crate::api) const AUDIT: [Parameter; 10] = [
    SINCE,
    UNTIL,
    CLUSTER,
    Parameter::text("user", "By the user of this name."),
    Parameter::text("verb", "Such as create."),
    Parameter::text("resource", "Such as pods."),
    NAMESPACE,
    Parameter::text("name", "Of an object of this name."),
    LIMIT,
    CURSOR,
];

/// What a request for a page of the inventory asks for.
pub(in crate::api) type InventoryRequest = PageRequest<InventoryFilter, InventoryCursor>;

/// What a request for a page of audit events asks for.
pub(in crate::api) type AuditRequest = PageRequest<AuditFilter, AuditCursor>;

fn filter(query: &mut Query, kind: InventoryKind) -> Result<InventoryFilter, Problem> {
    Ok(InventoryFilter {
        cluster: query.text("cluster"),
        node: query.text("node"),
        image: query.text("image"),
        of_node: of_node(query)?,
        name: query.text("name"),
        ..InventoryFilter::all(kind)
    })
}

fn of_node(query: &mut Query) -> Result<Option<bool>, Problem> {
    match query.text("of").as_deref() {
        None => Ok(None),
        Some("node") => Ok(Some(true)),
        Some("image") => Ok(Some(false)),
        Some(other) => Err(bad_value("of", other, "node or image")),
    }
}

/// One of the names that a parameter may have.
pub(super) fn one_of(
    query: &mut Query,
    name: &str,
    known: &[&str],
) -> Result<Option<String>, Problem> {
    let Some(value) = query.text(name) else { return Ok(None) };
    if known.contains(&value.as_str()) {
        return Ok(Some(value));
    }
    Err(bad_value(name, value, &format!("one of {}", known.join(", "))))
}

fn request(mut query: Query, filter: InventoryFilter) -> Result<InventoryRequest, Problem> {
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

/// Reads the query of the list of packages.
pub(in crate::api) fn packages(uri: &Uri) -> Result<InventoryRequest, Problem> {
    let mut query = Query::read(uri, &PACKAGES)?;
    let managers = PackageManager::ALL.map(PackageManager::name);
    let filter = InventoryFilter {
        class: one_of(&mut query, "manager", &managers)?,
        version: query.text("version"),
        ..filter(&mut query, InventoryKind::Packages)?
    };
    request(query, filter)
}

/// Reads the query of the list of images.
pub(in crate::api) fn images(uri: &Uri) -> Result<InventoryRequest, Problem> {
    let mut query = Query::read(uri, &IMAGES)?;
    let filter = filter(&mut query, InventoryKind::Images)?;
    request(query, filter)
}

/// Reads the query of the list of ports.
pub(in crate::api) fn ports(uri: &Uri) -> Result<InventoryRequest, Problem> {
    let mut query = Query::read(uri, &PORTS)?;
    let protocols = [TransportProtocol::Tcp, TransportProtocol::Udp].map(TransportProtocol::name);
    let filter = InventoryFilter {
        class: one_of(&mut query, "protocol", &protocols)?,
        value: query.parsed::<u16>("port", "a port: 0 to 65535")?.map(Into::into),
        container: query.text("container"),
        name: query.text("process"),
        ..filter(&mut query, InventoryKind::ListeningPorts)?
    };
    request(query, filter)
}

/// Reads the query of the list of users.
pub(in crate::api) fn users(uri: &Uri) -> Result<InventoryRequest, Problem> {
    let mut query = Query::read(uri, &USERS)?;
    let filter = filter(&mut query, InventoryKind::Users)?;
    request(query, filter)
}

/// Reads the query of the list of audit events.
pub(in crate::api) fn audit(uri: &Uri) -> Result<AuditRequest, Problem> {
    let mut query = Query::read(uri, &AUDIT)?;
    let filter = AuditFilter {
        since: query.time("since")?,
        until: query.time("until")?,
        cluster: query.text("cluster"),
        user: query.text("user"),
        verb: query.text("verb"),
        resource: query.text("resource"),
        namespace: query.text("namespace"),
        name: query.text("name"),
    };
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_answered_with_those_there_are() {
        let refusal = |path: &str| {
            let uri = path.parse().unwrap();
            let read = if path.contains("ports") { ports } else { packages };
            read(&uri).unwrap_err().detail().to_owned()
        };
        let refusal_of_manager = refusal("/api/v1/inventory/packages?manager=pacman");
        assert!(refusal_of_manager.contains("dpkg, apk, rpm, npm, python"), "{refusal_of_manager}");
        assert!(refusal("/api/v1/inventory/packages?of=me").contains("node or image"));
        assert!(refusal("/api/v1/inventory/ports?port=99999").contains("0 to 65535"));
        assert!(refusal("/api/v1/inventory/ports?protocol=sctp").contains("tcp, udp"));
    }

    #[test]
    fn the_process_of_a_port_is_what_it_is_named_by() {
        let uri = "/api/v1/inventory/ports?process=nginx&port=80".parse().unwrap();
        let filter = ports(&uri).unwrap().filter;
        assert_eq!((filter.name.as_deref(), filter.value), (Some("nginx"), Some(80)));
    }
}
