-- A run of a program that sends records. Its id stands for it in all other tables, and in the day files.
CREATE TABLE sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    uuid BLOB NOT NULL,
    component TEXT,
    version TEXT,
    boot_id BLOB,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    status BLOB,
    UNIQUE (cluster, node, uuid)
) STRICT;

-- How far each stream is held, and what was noticed about its sequences.
CREATE TABLE positions (
    source INTEGER NOT NULL,
    lane TEXT NOT NULL,
    position INTEGER NOT NULL,
    records INTEGER NOT NULL,
    repeated INTEGER NOT NULL,
    gaps INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    PRIMARY KEY (source, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE sequence_gaps (
    source INTEGER NOT NULL,
    lane TEXT NOT NULL,
    first_missing INTEGER NOT NULL,
    last_missing INTEGER NOT NULL,
    noticed_at INTEGER NOT NULL,
    PRIMARY KEY (source, lane, first_missing)
) STRICT, WITHOUT ROWID;

CREATE TABLE losses (
    source INTEGER NOT NULL,
    lane TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (source, lane, kind, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE hosts (
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    boot_id BLOB NOT NULL,
    seen INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (cluster, node, boot_id)
) STRICT;

CREATE TABLE containers (
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    id ANY NOT NULL,
    name TEXT,
    pod_uid TEXT,
    pod TEXT,
    namespace TEXT,
    seen INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (cluster, node, id)
) STRICT;
CREATE INDEX containers_by_name ON containers (name);
CREATE INDEX containers_by_age ON containers (seen);

-- Keyed by the source, which is finer than the boot id: generations count what one run of a sensor saw.
CREATE TABLE processes (
    source INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    executable TEXT NOT NULL,
    seen INTEGER NOT NULL,
    ended_at INTEGER,
    body BLOB NOT NULL,
    PRIMARY KEY (source, pid, start_time, generation)
) STRICT;
CREATE INDEX processes_by_age ON processes (seen);

CREATE TABLE kubernetes_objects (
    cluster TEXT NOT NULL,
    uid TEXT NOT NULL,
    kind TEXT NOT NULL,
    namespace TEXT,
    name TEXT NOT NULL,
    seen INTEGER NOT NULL,
    deleted_at INTEGER,
    body BLOB NOT NULL,
    PRIMARY KEY (cluster, uid)
) STRICT;

-- Which pod a container is of, as Kubernetes says.
CREATE TABLE pod_containers (
    cluster TEXT NOT NULL,
    container ANY NOT NULL,
    pod_uid TEXT NOT NULL,
    PRIMARY KEY (cluster, container)
) STRICT, WITHOUT ROWID;
CREATE INDEX pod_containers_by_pod ON pod_containers (cluster, pod_uid);

-- The number is the order of arrival; the id is the one its maker gave it.
CREATE TABLE alerts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    source INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    rule TEXT NOT NULL,
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    container ANY,
    container_name TEXT,
    pod_uid TEXT,
    pod TEXT,
    namespace TEXT,
    body BLOB NOT NULL
) STRICT;
-- With the priority, counting a day's alerts reads nothing but this index.
CREATE INDEX alerts_by_time ON alerts (time, number, priority);

CREATE INDEX alerts_by_source ON alerts (source);

CREATE TABLE alert_tags (
    tag TEXT NOT NULL,
    alert INTEGER NOT NULL,
    PRIMARY KEY (tag, alert)
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_tags_by_alert ON alert_tags (alert);

-- What retention took away, by kind.
CREATE TABLE removed (
    kind TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    last_removed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Written to learn whether a disk that was full takes data again.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY,
    filling BLOB NOT NULL
) STRICT;
