//! The query parameters of each list: how they are documented, and what they mean.

mod inventory;
mod kubernetes;

pub(super) use inventory::{
    AUDIT, IMAGES, InventoryRequest, PACKAGES, PORTS, USERS, audit, images, packages, ports, users,
};

pub(super) use kubernetes::{
    CHANGES, KUBERNETES_EVENTS, OBJECT, OBJECTS, POD_IMAGES, POSTURE, changes, kubernetes_events,
    object, objects, pod_images, posture,
};

use super::cursor::{self, Cursor};
use super::problem::Problem;
use super::query::{Parameter, Query, bad_value};
use crate::store::{AlertFilter, EnrolmentFilter, EventFilter, SensorFilter};
use axum::http::Uri;
use event_model::{EventKind, Priority};
use utoipa::IntoParams;
use utoipa::openapi::path::ParameterIn;

const LIMIT: Parameter =
    Parameter::whole("limit", "How many records a page has at most: 1 to 1000, usually 100.");
const CURSOR: Parameter =
    Parameter::text("cursor", "Where the page begins: the \"next\" of the page before.");
const CLUSTER: Parameter = Parameter::text("cluster", "Of this cluster.");
const NODE: Parameter = Parameter::text("node", "On this node.");
const CONTAINER: Parameter = Parameter::text(
    "container",
    "In this container: its id, 12 or more of the id's first digits, or its name.",
);
const NAMESPACE: Parameter = Parameter::text("namespace", "In a pod of this namespace.");
const POD: Parameter = Parameter::text("pod", "In the pod of this name.");
const SINCE: Parameter = Parameter::time("since", "At this moment or later (RFC 3339).");
const UNTIL: Parameter = Parameter::time("until", "Before this moment (RFC 3339).");
const PRIORITY: Parameter =
    Parameter::text("priority", "Of one of these priorities, separated by commas.");
const MINIMUM_PRIORITY: Parameter =
    Parameter::text("minimum_priority", "Of this priority or a more urgent one.");
const RULE: Parameter = Parameter::text("rule", "Of the rule of exactly this name.");
const TAG: Parameter = Parameter::text("tag", "With this tag.");

pub(super) const ALERTS: [Parameter; 13] = [
    SINCE,
    UNTIL,
    PRIORITY,
    MINIMUM_PRIORITY,
    RULE,
    CLUSTER,
    NODE,
    CONTAINER,
    NAMESPACE,
    POD,
    TAG,
    LIMIT,
    CURSOR,
];

pub(super) const FINDINGS: [Parameter; 11] =
    [SINCE, UNTIL, PRIORITY, MINIMUM_PRIORITY, RULE, CLUSTER, NODE, CONTAINER, NAMESPACE, POD, TAG];

pub(super) const STREAM: [Parameter; 10] = [
    Parameter::whole(
        "after",
        "Begin with the alert after this number. The header Last-Event-ID counts more.",
    ),
    PRIORITY,
    MINIMUM_PRIORITY,
    RULE,
    CLUSTER,
    NODE,
    CONTAINER,
    NAMESPACE,
    POD,
    TAG,
];

pub(super) const EVENTS: [Parameter; 12] = [
    SINCE,
    UNTIL,
    Parameter::text(
        "type",
        "Of one of these types, separated by commas: exec, fork, exit, dns, or an act such as open, connect, ptrace. \
         A type that does not exist is answered with those there are.",
    ),
    CLUSTER,
    NODE,
    CONTAINER,
    NAMESPACE,
    POD,
    Parameter::whole("pid", "By the process of this id, in the host's pid namespace."),
    Parameter::text(
        "executable",
        "By a process of this executable: a path, or the name of the file.",
    ),
    LIMIT,
    CURSOR,
];

pub(super) const SENSORS: [Parameter; 5] = [
    CLUSTER,
    NODE,
    Parameter::text(
        "component",
        "Of this component: collector-ds, collector-misc or publisher-ds.",
    ),
    LIMIT,
    CURSOR,
];

pub(super) const ENROLMENTS: [Parameter; 5] = [
    CLUSTER,
    NODE,
    Parameter::text("token", "Of the bootstrap token of this id, or renewals of such."),
    LIMIT,
    CURSOR,
];

/// What a request for a page asks for.
#[derive(Debug)]
pub(crate) struct PageRequest<F, C> {
    pub(crate) filter: F,
    pub(crate) cursor: Option<C>,
    pub(crate) limit: usize,
}

/// Reads the query of a list of alerts.
pub(crate) fn alerts<C: Cursor>(uri: &Uri) -> Result<PageRequest<AlertFilter, C>, Problem> {
    let mut query = Query::read(uri, &ALERTS)?;
    let filter = AlertFilter {
        since: query.time("since")?,
        until: query.time("until")?,
        ..alert_filter(&mut query)?
    };
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

/// Reads the query of an export of alerts.
pub(super) fn findings(uri: &Uri) -> Result<AlertFilter, Problem> {
    let mut query = Query::read(uri, &FINDINGS)?;
    let (since, until) = (query.time("since")?, query.time("until")?);
    Ok(AlertFilter { since, until, ..alert_filter(&mut query)? })
}

/// Reads the query of the stream of alerts: which, and after which number.
pub(super) fn stream(uri: &Uri) -> Result<(AlertFilter, Option<i64>), Problem> {
    let mut query = Query::read(uri, &STREAM)?;
    let after = query.parsed("after", "an alert's number")?;
    Ok((alert_filter(&mut query)?, after))
}

fn alert_filter(query: &mut Query) -> Result<AlertFilter, Problem> {
    Ok(AlertFilter {
        since: None,
        until: None,
        priorities: priorities(query)?,
        rule: query.text("rule"),
        cluster: query.text("cluster"),
        node: query.text("node"),
        container: query.text("container"),
        namespace: query.text("namespace"),
        pod: query.text("pod"),
        tag: query.text("tag"),
    })
}

fn priorities(query: &mut Query) -> Result<Vec<Priority>, Problem> {
    let exact = query.text("priority").map(|text| {
        text.split(',').map(|name| priority("priority", name)).collect::<Result<Vec<_>, _>>()
    });
    let minimum = query.text("minimum_priority").map(|name| priority("minimum_priority", &name));
    match (exact.transpose()?, minimum.transpose()?) {
        (Some(_), Some(_)) => {
            let detail = "\"priority\" and \"minimum_priority\" exclude each other";
            Err(Problem::parameter("minimum_priority", detail))
        }
        (Some(exact), None) => Ok(exact),
        (None, Some(minimum)) => {
            Ok(Priority::ALL.into_iter().filter(|priority| *priority <= minimum).collect())
        }
        (None, None) => Ok(Vec::new()),
    }
}

fn priority(parameter: &str, name: &str) -> Result<Priority, Problem> {
    name.parse().map_err(|()| {
        let names = Priority::ALL.map(Priority::name).join(", ");
        bad_value(parameter, name, &format!("one of {names}"))
    })
}

/// Reads the query of a list of events.
pub(super) fn events<C: Cursor>(uri: &Uri) -> Result<PageRequest<EventFilter, C>, Problem> {
    let mut query = Query::read(uri, &EVENTS)?;
    let filter = EventFilter {
        since: query.time("since")?,
        until: query.time("until")?,
        kinds: kinds(&mut query)?,
        cluster: query.text("cluster"),
        node: query.text("node"),
        container: query.text("container"),
        namespace: query.text("namespace"),
        pod: query.text("pod"),
        pid: query.parsed("pid", "a process id")?,
        executable: query.text("executable"),
    };
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

fn kinds(query: &mut Query) -> Result<Vec<String>, Problem> {
    let Some(text) = query.text("type") else { return Ok(Vec::new()) };
    let known: Vec<_> = EventKind::names().collect();
    text.split(',')
        .map(|name| {
            let expected = format!("one of {}", known.join(", "));
            let found = known.contains(&name).then(|| name.to_owned());
            found.ok_or_else(|| bad_value("type", name, &expected))
        })
        .collect()
}

/// Reads the query of the list of sensors.
pub(super) fn sensors<C: Cursor>(uri: &Uri) -> Result<PageRequest<SensorFilter, C>, Problem> {
    let mut query = Query::read(uri, &SENSORS)?;
    let filter = SensorFilter {
        cluster: query.text("cluster"),
        node: query.text("node"),
        component: query.text("component"),
    };
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

/// Reads the query of the list of certificates.
pub(super) fn enrolments<C: Cursor>(uri: &Uri) -> Result<PageRequest<EnrolmentFilter, C>, Problem> {
    let mut query = Query::read(uri, &ENROLMENTS)?;
    let filter = EnrolmentFilter {
        cluster: query.text("cluster"),
        node: query.text("node"),
        token: query.text("token"),
    };
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

macro_rules! documented {
    ($name:ident, $parameters:expr) => {
        /// The documentation of these parameters, from the table that they are read by.
        pub(super) struct $name;

        impl IntoParams for $name {
            fn into_params(
                _: impl Fn() -> Option<ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                $parameters.iter().map(Parameter::document).collect()
            }
        }
    };
}

documented!(AlertParameters, ALERTS);
documented!(StreamParameters, STREAM);
documented!(FindingParameters, FINDINGS);
documented!(EventParameters, EVENTS);
documented!(SensorParameters, SENSORS);
documented!(PackageParameters, PACKAGES);
documented!(ImageParameters, IMAGES);
documented!(PortParameters, PORTS);
documented!(UserParameters, USERS);
documented!(AuditParameters, AUDIT);
documented!(ObjectParameters, OBJECTS);
documented!(ObjectDetailParameters, OBJECT);
documented!(ChangeParameters, CHANGES);
documented!(PodImageParameters, POD_IMAGES);
documented!(KubernetesEventParameters, KUBERNETES_EVENTS);
documented!(PostureParameters, POSTURE);
documented!(EnrolmentParameters, ENROLMENTS);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::AlertCursor;

    fn read(query: &str) -> Result<PageRequest<AlertFilter, AlertCursor>, Problem> {
        alerts(&format!("/api/v1/alerts?{query}").parse().unwrap())
    }

    #[test]
    fn a_minimum_priority_takes_in_all_more_urgent_ones() {
        let request = read("minimum_priority=error").unwrap();
        let wanted = [Priority::Emergency, Priority::Alert, Priority::Critical, Priority::Error];
        assert_eq!(request.filter.priorities, wanted);
        let request = read("priority=notice,WARNING").unwrap();
        assert_eq!(request.filter.priorities, [Priority::Notice, Priority::Warning]);
    }

    #[test]
    fn a_wrong_priority_or_type_is_answered_with_those_there_are() {
        let problem = read("priority=urgent").unwrap_err();
        assert!(problem.detail().contains("emergency, alert, critical"), "{problem:?}");
        assert!(read("priority=error&minimum_priority=error").is_err());
        let uri = "/api/v1/events?type=exec,openat".parse().unwrap();
        let problem = events::<crate::store::EventCursor>(&uri).unwrap_err();
        assert!(problem.detail().contains("exec, fork, exit, dns, open"), "{problem:?}");
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let problem = read("cursor=03aabb").unwrap_err();
        assert!(problem.detail().contains("earlier page"), "{problem:?}");
    }
}
