-- What a node's first certificate is asked for with. Of the secret only its hash is kept.
CREATE TABLE bootstrap_tokens (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    cluster TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    maximum_uses INTEGER,
    uses INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- Certificates that were issued. The public key (its SHA-256) is unique: a request that is played again asks for the same.
CREATE TABLE enrolments (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    serial BLOB NOT NULL UNIQUE,
    public_key BLOB NOT NULL UNIQUE,
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    token TEXT NOT NULL,
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    denied_at INTEGER,
    denied_because TEXT
) STRICT;
CREATE INDEX enrolments_by_age ON enrolments (not_after);

-- Nodes that get no certificate, whatever token they show.
CREATE TABLE barred_nodes (
    cluster TEXT NOT NULL,
    node TEXT NOT NULL,
    barred_at INTEGER NOT NULL,
    PRIMARY KEY (cluster, node)
) STRICT, WITHOUT ROWID;
