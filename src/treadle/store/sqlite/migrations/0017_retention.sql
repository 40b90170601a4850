-- Executions that ended long ago are removed.

-- Those that left something behind: a journal, map runs. The revision is the one that they were started with.
CREATE TABLE removal (
    execution_id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT;

-- The largest id of a removed execution: no id is given twice.
CREATE TABLE removed_last (
    shard INTEGER PRIMARY KEY,
    id INTEGER NOT NULL
) STRICT;

CREATE INDEX map_run_of_revision ON map_run (revision);
