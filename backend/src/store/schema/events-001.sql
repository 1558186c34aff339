-- The key begins with the time, so that a page of the newest events is one short walk, and the oldest can be cut off in
-- one piece. Source and sequence make it unique: the same event always has the same time, so a batch that comes again
-- after a crash writes the same keys. The lane is not in it: events travel in the telemetry lane alone.
CREATE TABLE events (
    time INTEGER NOT NULL,
    source INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    pid INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    container ANY,
    detail BLOB NOT NULL,
    PRIMARY KEY (time, source, sequence)
) STRICT, WITHOUT ROWID;

-- How many events the file holds: counting them would read it whole.
CREATE TABLE tally (
    events INTEGER NOT NULL
) STRICT;
INSERT INTO tally VALUES (0);
