-- Which objects there were, by kind and range of uids: of each place the newest that was told (store/kubernetes/census.rs).
-- The ranges of a kind do not overlap. One is behind a uid (empty: from the first) through another; uids have 16 bytes.
CREATE TABLE kubernetes_censuses (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster TEXT NOT NULL,
    kind TEXT NOT NULL,
    api_group TEXT NOT NULL,
    behind BLOB NOT NULL,
    through BLOB NOT NULL,
    version INTEGER NOT NULL,
    taken_at INTEGER NOT NULL,
    uids BLOB NOT NULL,
    UNIQUE (cluster, kind, api_group, through)
) STRICT;
-- Who may be missing in one.
CREATE INDEX kubernetes_objects_living ON kubernetes_objects (cluster, kind, uid) WHERE deleted_at IS NULL;
