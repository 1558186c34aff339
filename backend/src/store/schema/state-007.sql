-- A request that is told again, by another run or another replica of a collector, is known by what it says (store/audit.rs).
-- Of requests that were stored before it is not known.
ALTER TABLE audit_events ADD COLUMN content BLOB;
CREATE UNIQUE INDEX audit_events_by_content ON audit_events (content) WHERE content IS NOT NULL;
