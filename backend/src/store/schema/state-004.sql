-- Alerts that a sensor counted instead of sending: beside the alert that stands for them, and in all.
ALTER TABLE alerts ADD COLUMN repeated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN rate_limited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN held_until INTEGER;

-- The suppression is empty where none was the reason.
CREATE TABLE held_alerts (
    source INTEGER NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    suppression TEXT NOT NULL,
    count INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (source, rule, reason, suppression)
) STRICT, WITHOUT ROWID;
