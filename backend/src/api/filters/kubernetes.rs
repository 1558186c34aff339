use super::inventory::one_of;
use super::{CLUSTER, CURSOR, LIMIT, NODE, PageRequest, SINCE, UNTIL};
use crate::api::cursor;
use crate::api::problem::Problem;
use crate::api::query::{Parameter, Query, bad_value};
use crate::store::{
    Change, ChangeCursor, ChangeFilter, FindingCursor, FindingFilter, ImageCursor, ImageFilter,
    KubernetesEventCursor, KubernetesEventFilter, ObjectCursor, ObjectFilter,
};
use axum::http::Uri;
use event_model::{FindingSeverity, FindingSource};

const KIND: Parameter = Parameter::text("kind", "Of an object of this kind, such as Pod.");
const NAMESPACE: Parameter = Parameter::text("namespace", "Of an object in this namespace.");
const NAME: Parameter = Parameter::text("name", "Of an object of exactly this name.");
const UID: Parameter = Parameter::text("uid", "Of the object of this uid.");
const IMAGE: Parameter = Parameter::text("image", "Of this image: its digest or its reference.");

pub(in crate::api) const OBJECTS: [Parameter; 11] = [
    CLUSTER,
    KIND,
    NAMESPACE,
    NAME,
    Parameter::text("label", "With this label: name=value."),
    Parameter::text("owner", "That belong to this: its uid, or Kind/name."),
    NODE,
    Parameter::text("image", "With a container of this image: its digest or its reference."),
    Parameter::text(
        "deleted",
        "\"false\": that are there (usual); \"true\": that are gone; \"any\".",
    ),
    LIMIT,
    CURSOR,
];

pub(in crate::api) const OBJECT: [Parameter; 1] = [CLUSTER];

pub(in crate::api) const CHANGES: [Parameter; 10] = [
    SINCE,
    UNTIL,
    CLUSTER,
    KIND,
    NAMESPACE,
    NAME,
    UID,
    Parameter::text("change", "Of added, modified or deleted."),
    LIMIT,
    CURSOR,
];

pub(in crate::api) const POD_IMAGES: [Parameter; 6] = [
    CLUSTER,
    Parameter::text("namespace", "In pods of this namespace."),
    NODE,
    IMAGE,
    LIMIT,
    CURSOR,
];

pub(in crate::api) const KUBERNETES_EVENTS: [Parameter; 11] = [
    SINCE,
    UNTIL,
    CLUSTER,
    KIND,
    NAMESPACE,
    NAME,
    UID,
    Parameter::text("reason", "Of this reason, such as FailedMount."),
    Parameter::text("warning", "\"true\": warnings; \"false\": what is none."),
    LIMIT,
    CURSOR,
];

pub(in crate::api) const POSTURE: [Parameter; 12] = [
    CLUSTER,
    Parameter::text("source", "Of these sources, separated by commas, such as posture or rbac."),
    Parameter::text("policy", "Of exactly this policy."),
    Parameter::text("severity", "Of these severities, separated by commas."),
    Parameter::text("minimum_severity", "Of this severity or a worse one."),
    KIND,
    NAMESPACE,
    NAME,
    UID,
    Parameter::text("status", "\"open\" (usual), \"resolved\" or \"any\"."),
    LIMIT,
    CURSOR,
];

/// Reads the query of the list of objects.
pub(in crate::api) fn objects(
    uri: &Uri,
) -> Result<PageRequest<ObjectFilter, ObjectCursor>, Problem> {
    let mut query = Query::read(uri, &OBJECTS)?;
    let deleted = one_of(&mut query, "deleted", &["false", "true", "any"])?;
    let filter = ObjectFilter {
        cluster: query.text("cluster"),
        kind: query.text("kind"),
        namespace: query.text("namespace"),
        name: query.text("name"),
        label: label(&mut query)?,
        owner: query.text("owner"),
        node: query.text("node"),
        image: query.text("image"),
        deleted: match deleted.as_deref() {
            Some("any") => None,
            Some("true") => Some(true),
            _ => Some(false),
        },
    };
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

fn label(query: &mut Query) -> Result<Option<String>, Problem> {
    let Some(label) = query.text("label") else { return Ok(None) };
    if label.contains('=') && !label.contains('\n') {
        return Ok(Some(label));
    }
    Err(bad_value("label", label, "name=value"))
}

/// Reads the query of one object: of which cluster.
pub(in crate::api) fn object(uri: &Uri) -> Result<Option<String>, Problem> {
    Ok(Query::read(uri, &OBJECT)?.text("cluster"))
}

/// Reads the query of the list of changes.
pub(in crate::api) fn changes(
    uri: &Uri,
) -> Result<PageRequest<ChangeFilter, ChangeCursor>, Problem> {
    let mut query = Query::read(uri, &CHANGES)?;
    let filter = ChangeFilter {
        since: query.time("since")?,
        until: query.time("until")?,
        cluster: query.text("cluster"),
        kind: query.text("kind"),
        namespace: query.text("namespace"),
        name: query.text("name"),
        uid: query.text("uid"),
        change: query.parsed::<Change>("change", "one of added, modified, deleted")?,
    };
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

/// Reads the query of the list of images of pods.
pub(in crate::api) fn pod_images(
    uri: &Uri,
) -> Result<PageRequest<ImageFilter, ImageCursor>, Problem> {
    let mut query = Query::read(uri, &POD_IMAGES)?;
    let filter = ImageFilter {
        cluster: query.text("cluster"),
        namespace: query.text("namespace"),
        node: query.text("node"),
        image: query.text("image"),
    };
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

/// Reads the query of the list of events of Kubernetes.
pub(in crate::api) fn kubernetes_events(
    uri: &Uri,
) -> Result<PageRequest<KubernetesEventFilter, KubernetesEventCursor>, Problem> {
    let mut query = Query::read(uri, &KUBERNETES_EVENTS)?;
    let filter = KubernetesEventFilter {
        since: query.time("since")?,
        until: query.time("until")?,
        cluster: query.text("cluster"),
        kind: query.text("kind"),
        namespace: query.text("namespace"),
        name: query.text("name"),
        uid: query.text("uid"),
        reason: query.text("reason"),
        is_warning: query.parsed("warning", "true or false")?,
    };
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

/// Reads the query of the list of findings.
pub(in crate::api) fn posture(
    uri: &Uri,
) -> Result<PageRequest<FindingFilter, FindingCursor>, Problem> {
    let mut query = Query::read(uri, &POSTURE)?;
    let status = one_of(&mut query, "status", &["open", "resolved", "any"])?;
    let filter = FindingFilter {
        cluster: query.text("cluster"),
        sources: sources(&mut query)?,
        policy: query.text("policy"),
        severities: severities(&mut query)?,
        kind: query.text("kind"),
        namespace: query.text("namespace"),
        name: query.text("name"),
        uid: query.text("uid"),
        resolved: match status.as_deref() {
            Some("any") => None,
            Some("resolved") => Some(true),
            _ => Some(false),
        },
    };
    Ok(PageRequest { filter, cursor: cursor::of_query(&mut query)?, limit: query.limit()? })
}

fn sources(query: &mut Query) -> Result<Vec<FindingSource>, Problem> {
    let Some(text) = query.text("source") else { return Ok(Vec::new()) };
    let expected = format!("one of {}", FindingSource::ALL.map(FindingSource::name).join(", "));
    let known = |name: &str| FindingSource::ALL.into_iter().find(|source| source.name() == name);
    text.split(',')
        .map(|name| known(name).ok_or_else(|| bad_value("source", name, &expected)))
        .collect()
}

fn severities(query: &mut Query) -> Result<Vec<FindingSeverity>, Problem> {
    let exact = query.text("severity");
    let minimum = query.text("minimum_severity");
    match (exact, minimum) {
        (Some(_), Some(_)) => {
            let detail = "\"severity\" and \"minimum_severity\" exclude each other";
            Err(Problem::parameter("minimum_severity", detail))
        }
        (Some(exact), None) => exact.split(',').map(|name| severity("severity", name)).collect(),
        (None, Some(minimum)) => {
            let least = severity("minimum_severity", &minimum)?;
            Ok(FindingSeverity::ALL.into_iter().filter(|severity| *severity >= least).collect())
        }
        (None, None) => Ok(Vec::new()),
    }
}

fn severity(parameter: &str, name: &str) -> Result<FindingSeverity, Problem> {
    let known = FindingSeverity::ALL.into_iter().find(|severity| severity.name() == name);
    known.ok_or_else(|| {
        let names = FindingSeverity::ALL.map(FindingSeverity::name).join(", ");
        bad_value(parameter, name, &format!("one of {names}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_and_what_is_resolved_is_listed_only_when_asked_for() {
        let deleted =
            |query: &str| objects(&format!("/x?{query}").parse().unwrap()).unwrap().filter.deleted;
        assert_eq!(
            [deleted("kind=Pod"), deleted("deleted=true"), deleted("deleted=any")],
            [Some(false), Some(true), None]
        );
        let resolved =
            |query: &str| posture(&format!("/x?{query}").parse().unwrap()).unwrap().filter.resolved;
        assert_eq!(
            [resolved("kind=Pod"), resolved("status=resolved"), resolved("status=any")],
            [Some(false), Some(true), None]
        );
    }

    #[test]
    fn a_wrong_value_is_answered_with_those_there_are() {
        let refusal = |query: &str| {
            posture(&format!("/x?{query}").parse().unwrap()).unwrap_err().detail().to_owned()
        };
        assert!(refusal("source=rbac,nobody").contains("posture, pod_security, rbac"));
        assert!(refusal("minimum_severity=bad").contains("informational, low, medium"));
        assert!(refusal("status=closed").contains("open, resolved, any"));
        assert!(refusal("severity=low&minimum_severity=low").contains("exclude"));
        let label = objects(&"/x?label=app".parse().unwrap()).unwrap_err();
        assert!(label.detail().contains("name=value"));
    }

    #[test]
    fn a_minimum_severity_takes_in_all_worse_ones() {
        let request = posture(&"/x?minimum_severity=high".parse().unwrap()).unwrap();
        assert_eq!(request.filter.severities, [FindingSeverity::High, FindingSeverity::Critical]);
    }
}
