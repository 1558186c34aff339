-- Sources that made place for others of their node: what still says whose the events are that day files hold of them.
CREATE TABLE former_sources (
    id INTEGER PRIMARY KEY,
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    uuid BLOB NOT NULL,
    boot_id BLOB,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE INDEX former_sources_by_age ON former_sources (last_seen);

-- Whose a record is, also where its source is no longer kept.
CREATE VIEW all_sources AS
    SELECT id, cluster, node, uuid, boot_id, last_seen FROM sources
    UNION ALL
    SELECT id, cluster, node, uuid, boot_id, last_seen FROM former_sources;

CREATE INDEX kubernetes_objects_by_age ON kubernetes_objects (seen);
CREATE INDEX sources_by_age ON sources (last_seen);
