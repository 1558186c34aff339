-- What is there: on a node (image is empty), or in an image that runs on it. The columns beside the body are what
-- lists are filtered by: name, class, detail and value mean something else for each kind (store/inventory.rs).
CREATE TABLE inventory (
    number INTEGER PRIMARY KEY,
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    image TEXT NOT NULL,
    kind TEXT NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    class TEXT NOT NULL,
    detail TEXT NOT NULL,
    value INTEGER,
    container ANY,
    scanned_at INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (cluster, node, image, kind, id)
) STRICT;
-- Lists are in order of names; the number tells equal ones apart.
CREATE INDEX inventory_by_name ON inventory (kind, name, number);
CREATE INDEX inventory_by_age ON inventory (seen);

-- Requests to Kubernetes API servers.
CREATE TABLE audit_events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    time INTEGER NOT NULL,
    user TEXT NOT NULL,
    verb TEXT NOT NULL,
    resource TEXT NOT NULL,
    namespace TEXT,
    name TEXT,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX audit_events_by_time ON audit_events (time, number);
