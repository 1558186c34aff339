//! What events and alerts refer to: each newest state replaces the one before.

use super::body::Body;
use super::container_key::ContainerKey;
use super::publisher::Publisher;
use super::sources::SourceRow;
use event_model::{Container, Host, Pod, Process, ProcessKey, Timestamp};
use rusqlite::{Connection, OptionalExtension};

/// Boots of a node that are remembered: a sensor's newest, and those of sensors that a node's name moved from.
const MOST_HOSTS: u32 = 8;

pub(crate) fn put_host(
    state: &Connection,
    publisher: &Publisher,
    host: &Host,
    now: Timestamp,
) -> rusqlite::Result<()> {
    state
        .prepare_cached("INSERT OR REPLACE INTO hosts (cluster, node, boot_id, seen, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((
            &publisher.cluster,
            &publisher.node,
            host.boot_id.as_bytes(),
            super::moment(now),
            host.encode(),
        ))?;
    state
        .prepare_cached(
            "DELETE FROM hosts WHERE cluster = ?1 AND node = ?2 AND boot_id NOT IN (
                SELECT boot_id FROM hosts WHERE cluster = ?1 AND node = ?2
                ORDER BY seen DESC LIMIT ?3)",
        )?
        .execute((&publisher.cluster, &publisher.node, MOST_HOSTS))?;
    Ok(())
}

pub(crate) fn put_container(
    state: &Connection,
    publisher: &Publisher,
    container: &Container,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let id = ContainerKey::from(&*container.id.0);
    let container = match known_container(state, publisher, &id)? {
        Some(known) => newest_known(container.clone(), known),
        None => container.clone(),
    };
    let pod = container.pod.as_ref();
    state
        .prepare_cached(
            "INSERT INTO containers (cluster, node, id, name, pod_uid, pod, namespace, seen, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT DO UPDATE SET
                name = ?4, pod_uid = ?5, pod = ?6, namespace = ?7, seen = ?8, body = ?9",
        )?
        .execute((
            &publisher.cluster,
            &publisher.node,
            id,
            &container.name,
            pod.map(|pod| &pod.uid),
            pod.and_then(|pod| pod.name.as_ref()),
            pod.and_then(|pod| pod.namespace.as_ref()),
            super::moment(now),
            container.encode(),
        ))?;
    Ok(())
}

fn known_container(
    state: &Connection,
    publisher: &Publisher,
    id: &ContainerKey,
) -> rusqlite::Result<Option<Container>> {
    let body: Option<Vec<u8>> = state
        .prepare_cached("SELECT body FROM containers WHERE cluster = ?1 AND node = ?2 AND id = ?3")?
        .query_row((&publisher.cluster, &publisher.node, id), |row| row.get(0))
        .optional()?;
    Ok(body.and_then(|body| Container::decode(&body).ok()))
}

/// What is said now, completed by what was said before: a sensor that starts while the container
/// runtime does not answer knows no more than the cgroup tells.
fn newest_known(now: Container, before: Container) -> Container {
    Container {
        id: now.id,
        runtime: now.runtime.or(before.runtime),
        name: now.name.or(before.name),
        image: now.image.or(before.image),
        image_digest: now.image_digest.or(before.image_digest),
        pod: newest_known_pod(now.pod, before.pod),
        labels: if now.labels.is_empty() { before.labels } else { now.labels },
        privileged: now.privileged.or(before.privileged),
        cgroup_path: if now.cgroup_path.is_empty() { before.cgroup_path } else { now.cgroup_path },
        created_at: now.created_at.or(before.created_at),
        mounts: None,
    }
}

fn newest_known_pod(now: Option<Pod>, before: Option<Pod>) -> Option<Pod> {
    match (now, before) {
        (Some(now), Some(before)) if now.uid == before.uid => Some(Pod {
            uid: now.uid,
            name: now.name.or(before.name),
            namespace: now.namespace.or(before.namespace),
            labels: if now.labels.is_empty() { before.labels } else { now.labels },
            service_account: now.service_account.or(before.service_account),
        }),
        (now, before) => now.or(before),
    }
}

pub(crate) fn put_process(
    state: &Connection,
    source: SourceRow,
    process: &Process,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let reference = process.reference;
    state
        .prepare_cached(
            "INSERT INTO processes (source, pid, start_time, generation, executable, seen, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET executable = ?5, seen = ?6, body = ?7",
        )?
        .execute((
            source,
            reference.key.pid,
            reference.key.start_time.cast_signed(),
            reference.generation,
            &process.executable.path,
            super::moment(now),
            process.encode(),
        ))?;
    Ok(())
}

/// Takes note that a process ended: its entity may go when the events that refer to it have gone.
pub(crate) fn end_process(
    state: &Connection,
    source: SourceRow,
    process: ProcessKey,
    time: Timestamp,
) -> rusqlite::Result<()> {
    state
        .prepare_cached(
            "UPDATE processes SET ended_at = ?4 WHERE source = ?1 AND pid = ?2 AND start_time = ?3",
        )?
        .execute((source, process.pid, process.start_time.cast_signed(), super::moment(time)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[test]
    fn of_a_node_only_the_newest_boots_are_remembered() {
        let (_folder, state) = testing::state();
        for boot in 1..=20 {
            let host = Host { boot_id: uuid::Uuid::from_u128(boot), ..Host::default() };
            let now = Timestamp(u64::try_from(boot).unwrap());
            put_host(&state, &testing::publisher(), &host, now).unwrap();
        }
        let kept = state.query_row("SELECT min(seen), count(*) FROM hosts", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?))
        });
        assert_eq!(kept.unwrap(), (13, MOST_HOSTS));
    }

    #[test]
    fn a_bare_container_takes_nothing_away_from_what_was_known() {
        let (_folder, state) = testing::state();
        let publisher = testing::publisher();
        let pod = Pod { uid: "u1".into(), ..Pod::default() };
        let bare = Container {
            id: testing::container_id('a'),
            pod: Some(pod.clone()),
            cgroup_path: "/kubepods/new".into(),
            ..Container::default()
        };
        let complete = Container {
            name: Some("app".into()),
            image: Some("nginx:1.27".into()),
            labels: [("tier".to_owned(), "web".to_owned())].into(),
            pod: Some(Pod { name: Some("web".into()), namespace: Some("shop".into()), ..pod }),
            cgroup_path: "/kubepods/old".into(),
            ..bare.clone()
        };
        let renamed = Container { image: Some("nginx:1.28".into()), ..bare.clone() };
        for said in [&complete, &bare, &renamed] {
            put_container(&state, &publisher, said, Timestamp(1)).unwrap();
        }
        let (name, pod, body) = state
            .query_row("SELECT name, pod, body FROM containers", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?))
            })
            .unwrap();
        let columns: (Option<String>, Option<String>) = (name, pod);
        assert_eq!(columns, (Some("app".into()), Some("web".into())));
        let expected = Container {
            image: Some("nginx:1.28".into()),
            cgroup_path: "/kubepods/new".into(),
            ..complete
        };
        assert_eq!(Container::decode(&body).unwrap(), expected);
    }

    #[test]
    fn an_exit_ends_all_programs_of_a_process() {
        let (_folder, state) = testing::state();
        let mut process = Process::default();
        process.reference.key = ProcessKey { pid: 7, start_time: u64::MAX };
        for generation in 0..2 {
            process.reference.generation = generation;
            put_process(&state, SourceRow(1), &process, Timestamp(1)).unwrap();
        }
        end_process(&state, SourceRow(1), process.reference.key, Timestamp(9)).unwrap();
        let ended: u32 = state
            .query_row("SELECT count(*) FROM processes WHERE ended_at = 9", [], |row| row.get(0))
            .unwrap();
        assert_eq!(ended, 2);
    }
}
