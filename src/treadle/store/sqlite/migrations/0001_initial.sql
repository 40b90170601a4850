-- The schema as it is created. Times are milliseconds since the epoch. Keys that many rows carry (a state
-- machine's ARN, a revision) are small integers here; the contract's names are put back by the queries.

-- One row: what belongs to the database as a whole.
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    secret BLOB NOT NULL CHECK (length(secret) = 32),
    -- How many executions are RUNNING, kept by the triggers below: counting a million rows takes too long.
    executions_open INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Every ARN that a state machine ever had. It outlives the machine, as executions do.
CREATE TABLE machine_arn (
    key INTEGER PRIMARY KEY,
    arn TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE revision (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    machine INTEGER NOT NULL REFERENCES machine_arn (key),
    definition TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    logging TEXT NOT NULL,
    tracing TEXT NOT NULL,
    encryption TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE INDEX revision_of_machine ON revision (machine);

CREATE TABLE machine (
    arn TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    created INTEGER NOT NULL,
    initial INTEGER NOT NULL,
    revision INTEGER NOT NULL REFERENCES revision (key)
) STRICT, WITHOUT ROWID;

CREATE INDEX machine_at_revision ON machine (revision);

CREATE TABLE machine_tag (
    arn TEXT NOT NULL REFERENCES machine (arn) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (arn, key)
) STRICT, WITHOUT ROWID;

-- Small columns first: a listing then never walks the pages of a large output. The input stands apart, so that
-- an update, which writes the whole row anew, does not write it again.
-- The revision is no foreign key: whenever a revision goes, SQLite would look through all executions.
CREATE TABLE execution (
    id INTEGER PRIMARY KEY,
    arn TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    machine INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    status TEXT NOT NULL,
    started INTEGER NOT NULL,
    stopped INTEGER,
    wake INTEGER,
    trace_header TEXT,
    error TEXT,
    cause TEXT,
    output TEXT
) STRICT;

CREATE INDEX execution_by_age ON execution (machine, started, id);
CREATE INDEX execution_by_status ON execution (machine, status, started, id);
CREATE INDEX execution_at_revision ON execution (revision);
CREATE INDEX execution_due ON execution (wake, id) WHERE status = 'RUNNING' AND wake IS NOT NULL;

CREATE TABLE execution_input (
    execution_id INTEGER PRIMARY KEY,
    input TEXT NOT NULL
) STRICT;

CREATE TRIGGER execution_created AFTER INSERT ON execution WHEN new.status = 'RUNNING' BEGIN
    UPDATE meta SET executions_open = executions_open + 1;
END;

CREATE TRIGGER execution_moved AFTER UPDATE OF status ON execution WHEN new.status <> old.status BEGIN
    UPDATE meta SET executions_open = executions_open + (new.status = 'RUNNING') - (old.status = 'RUNNING');
END;

-- Appended in the order of the commits: `seq` is that order. A journal clustered by execution would touch one
-- page per execution and commit; the index entries of executions that run at the same time share their pages.
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    execution_id INTEGER NOT NULL,
    first_event INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    events BLOB NOT NULL
) STRICT;

CREATE INDEX journal_of_execution ON journal (execution_id, last_event);
