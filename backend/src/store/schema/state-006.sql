-- Objects of the Kubernetes API, each as its greatest version tells it (store/kubernetes.rs). -1: no version was told yet.
ALTER TABLE kubernetes_objects ADD COLUMN version INTEGER NOT NULL DEFAULT -1;
ALTER TABLE kubernetes_objects ADD COLUMN node TEXT;
ALTER TABLE kubernetes_objects ADD COLUMN owner TEXT;
ALTER TABLE kubernetes_objects ADD COLUMN owner_uid TEXT;
-- Each label as a line, with a line's end before and after it.
ALTER TABLE kubernetes_objects ADD COLUMN labels TEXT NOT NULL DEFAULT '';
-- Lists are in this order; a cluster's own objects have no namespace.
CREATE INDEX kubernetes_objects_by_name ON kubernetes_objects (kind, ifnull(namespace, ''), name);
CREATE INDEX kubernetes_objects_by_owner ON kubernetes_objects (cluster, owner_uid);

-- The images of their containers. The key is the digest, or what the image was asked for by where none is known.
CREATE TABLE kubernetes_images (
    cluster TEXT NOT NULL,
    uid TEXT NOT NULL,
    key TEXT NOT NULL,
    reference TEXT NOT NULL,
    PRIMARY KEY (cluster, uid, key, reference)
) STRICT, WITHOUT ROWID;
CREATE INDEX kubernetes_images_by_key ON kubernetes_images (key, reference);
CREATE INDEX kubernetes_images_by_reference ON kubernetes_images (reference);

-- What became of objects: a row for each content that follows upon another. `same` are the further versions of which that
-- content was told, 8 bytes each. A content that is missing is that of the present state. A deletion has the greatest
-- version that there is, and no content.
CREATE TABLE kubernetes_changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster TEXT NOT NULL,
    uid TEXT NOT NULL,
    version INTEGER NOT NULL,
    resource_version TEXT NOT NULL,
    same BLOB NOT NULL,
    change TEXT NOT NULL,
    kind TEXT NOT NULL,
    namespace TEXT,
    name TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    parts TEXT NOT NULL,
    content BLOB,
    UNIQUE (uid, cluster, version)
) STRICT;
CREATE INDEX kubernetes_changes_by_time ON kubernetes_changes (observed_at, number);
-- What may go when it is old: not how an object is now.
CREATE INDEX kubernetes_changes_by_age ON kubernetes_changes (observed_at)
    WHERE content IS NOT NULL OR change = 'deleted';

-- What parts of Kubernetes noted about objects. The same note in the same state is one.
CREATE TABLE kubernetes_events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster TEXT NOT NULL,
    uid TEXT NOT NULL,
    resource_version TEXT NOT NULL,
    time INTEGER NOT NULL,
    reason TEXT NOT NULL,
    is_warning INTEGER NOT NULL,
    kind TEXT NOT NULL,
    namespace TEXT,
    name TEXT NOT NULL,
    object_uid TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (cluster, uid, resource_version)
) STRICT;
CREATE INDEX kubernetes_events_by_time ON kubernetes_events (time, number);

-- What should not be so, or was not (resolved_at).
CREATE TABLE findings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster TEXT NOT NULL,
    id BLOB NOT NULL,
    source TEXT NOT NULL,
    policy TEXT NOT NULL,
    severity INTEGER NOT NULL,
    kind TEXT NOT NULL,
    namespace TEXT,
    name TEXT NOT NULL,
    object_uid TEXT NOT NULL,
    scanned_at INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    resolved_at INTEGER,
    body BLOB NOT NULL,
    UNIQUE (cluster, id)
) STRICT;
CREATE INDEX findings_by_severity ON findings (severity, number);
-- Open ones are counted all the time.
CREATE INDEX findings_open ON findings (cluster, severity) WHERE resolved_at IS NULL;
CREATE INDEX findings_by_object ON findings (cluster, object_uid);
CREATE INDEX findings_by_resolution ON findings (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX findings_by_age ON findings (seen);

-- What clusters are, and how old the newest whole snapshot of their findings is.
CREATE TABLE clusters (
    cluster TEXT PRIMARY KEY,
    scanned_at INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    body BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE cluster_snapshots (
    cluster TEXT PRIMARY KEY,
    scanned_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
