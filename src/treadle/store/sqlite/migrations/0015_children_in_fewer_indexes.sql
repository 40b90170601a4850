-- Children of map runs are found by their map run, and their revision is kept by its execution: these indexes, of
-- which each child would write an entry, are not asked for them.

DROP INDEX execution_by_age;
DROP INDEX execution_by_status;
DROP INDEX execution_at_revision;
CREATE INDEX execution_by_age ON execution (machine, listed, id) WHERE map_run IS NULL;
CREATE INDEX execution_by_status ON execution (machine, status, listed, id) WHERE map_run IS NULL;
CREATE INDEX execution_at_revision ON execution (revision) WHERE map_run IS NULL;
