-- The schema as it is created, in a PostgreSQL schema of its own. Times are milliseconds since the epoch. Keys that many
-- rows carry (a state machine's ARN, a revision) are small integers here; the contract's names are put back by the
-- statements. Texts are compared by code point, so that listings have the same order everywhere.

-- Raised where a statement finds less than it was to change: a conflict, with a sentence that says which.
CREATE FUNCTION demand(fulfilled boolean, otherwise text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT fulfilled THEN
        RAISE EXCEPTION USING ERRCODE = 'TD001', MESSAGE = otherwise;
    END IF;
END
$$;

-- As in SQLite: the texts of a few rows in one.
CREATE FUNCTION group_concat_step(before text, next text, separator text) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE WHEN before IS NULL THEN next ELSE before || separator || next END
$$;
CREATE AGGREGATE group_concat(text, text) (SFUNC = group_concat_step, STYPE = text);

-- One row: what belongs to the database as a whole.
CREATE TABLE meta (
    id bigint PRIMARY KEY CHECK (id = 1),
    schema_version bigint NOT NULL,
    secret bytea NOT NULL CHECK (length(secret) = 32)
);

-- State machines -----------------------------------------------------------------------------------------------

-- Every ARN that a state machine ever had. It outlives the machine, as executions do.
CREATE TABLE machine_arn (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    arn text COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE revision (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    machine bigint NOT NULL REFERENCES machine_arn (key),
    definition text NOT NULL,
    role_arn text NOT NULL,
    logging text NOT NULL,
    tracing text NOT NULL,
    encryption text NOT NULL,
    created bigint NOT NULL,
    -- Whether it is its machine's first.
    initial bigint NOT NULL
);

CREATE INDEX revision_of_machine ON revision (machine);

CREATE TABLE machine (
    arn text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    created bigint NOT NULL,
    revision bigint NOT NULL REFERENCES revision (key),
    -- The highest number that a version of it ever had.
    versions bigint NOT NULL DEFAULT 0
);

CREATE INDEX machine_at_revision ON machine (revision);
CREATE INDEX machine_deleting ON machine (arn) WHERE status = 'DELETING';

CREATE TABLE machine_tag (
    arn text COLLATE "C" NOT NULL REFERENCES machine (arn) ON DELETE CASCADE,
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (arn, key)
);

CREATE TABLE version (
    machine text COLLATE "C" NOT NULL REFERENCES machine (arn) ON DELETE CASCADE,
    number bigint NOT NULL,
    revision bigint NOT NULL UNIQUE REFERENCES revision (key),
    description text,
    created bigint NOT NULL,
    PRIMARY KEY (machine, number)
);

CREATE TABLE alias (
    machine text COLLATE "C" NOT NULL REFERENCES machine (arn) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    description text,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    PRIMARY KEY (machine, name)
);

CREATE TABLE alias_route (
    machine text COLLATE "C" NOT NULL,
    alias text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    version bigint NOT NULL,
    weight bigint NOT NULL,
    PRIMARY KEY (machine, alias, position),
    FOREIGN KEY (machine, alias) REFERENCES alias (machine, name) ON DELETE CASCADE,
    FOREIGN KEY (machine, version) REFERENCES version (machine, number)
);

CREATE INDEX alias_route_to_version ON alias_route (machine, version, alias);

-- Activities and access keys -----------------------------------------------------------------------------------

CREATE TABLE activity (
    arn text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    encryption text NOT NULL,
    created bigint NOT NULL
);

CREATE TABLE activity_tag (
    arn text COLLATE "C" NOT NULL REFERENCES activity (arn) ON DELETE CASCADE,
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (arn, key)
);

-- The secret is kept as it is: the signature of a request is verified with it.
CREATE TABLE access_key (
    id text COLLATE "C" PRIMARY KEY,
    secret text NOT NULL,
    account text NOT NULL,
    description text NOT NULL,
    created bigint NOT NULL,
    revoked bigint
);

-- Executions ---------------------------------------------------------------------------------------------------

CREATE TABLE map_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    arn text COLLATE "C" NOT NULL UNIQUE,
    execution_id bigint NOT NULL,
    execution_arn text NOT NULL,
    -- What its children show as their state machine.
    machine bigint NOT NULL REFERENCES machine_arn (key),
    revision bigint NOT NULL REFERENCES revision (key),
    state text NOT NULL,
    status text NOT NULL,
    started bigint NOT NULL,
    stopped bigint,
    concurrency bigint NOT NULL,
    tolerated_count bigint NOT NULL,
    tolerated_percentage double precision NOT NULL,
    items bigint NOT NULL,
    children bigint,
    error text,
    cause text,
    results_written bigint NOT NULL DEFAULT 0,
    redrives bigint NOT NULL DEFAULT 0,
    redriven bigint
);

CREATE INDEX map_run_of_execution ON map_run (execution_id, id);
CREATE INDEX map_run_running ON map_run (id) WHERE status = 'RUNNING';
CREATE INDEX map_run_of_revision ON map_run (revision);

-- What has to be known to read the items of a map run again.
CREATE TABLE map_run_note (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    map_run bigint NOT NULL REFERENCES map_run (id),
    note bytea NOT NULL
);

CREATE INDEX map_run_note_of_run ON map_run_note (map_run, id);

-- The input stands apart, so that an update, which writes the whole row anew, does not write it again.
CREATE TABLE execution (
    id bigint PRIMARY KEY,
    arn text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    machine bigint NOT NULL,
    revision bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    started bigint NOT NULL,
    stopped bigint,
    wake bigint,
    trace_header text,
    error text,
    cause text,
    output text,
    -- Through what it was started, if not through the machine itself.
    version bigint,
    alias text COLLATE "C",
    redrives bigint NOT NULL DEFAULT 0,
    redriven bigint,
    -- Where it stands in a listing: by its end or, while it runs, by its last beginning.
    listed bigint NOT NULL GENERATED ALWAYS AS (coalesce(stopped, redriven, started)) STORED,
    -- Of a child: its map run, its place in it, and how many items it works on.
    map_run bigint REFERENCES map_run (id),
    child bigint,
    items bigint
);

-- No child has a map run and no place, nor the other way round. It is said twice so that this index is out of the question
-- for a listing by status, which does not say it twice: where nearly all have one status, it would seem as good.
CREATE INDEX execution_by_age ON execution (machine, listed, id) WHERE map_run IS NULL AND child IS NULL;
CREATE INDEX execution_by_status ON execution (machine, status, listed, id) WHERE map_run IS NULL;
CREATE INDEX execution_at_revision ON execution (revision) WHERE map_run IS NULL;
CREATE INDEX execution_by_version ON execution (machine, version, listed, id, status) WHERE version IS NOT NULL;
CREATE INDEX execution_by_alias ON execution (machine, alias, listed, id, status) WHERE alias IS NOT NULL;
CREATE INDEX execution_redriven ON execution (machine, listed, id, status) WHERE redrives > 0;
CREATE INDEX execution_due ON execution (wake, id) WHERE status = 'RUNNING' AND wake IS NOT NULL;
CREATE UNIQUE INDEX execution_as_child ON execution (map_run, child) WHERE map_run IS NOT NULL;
CREATE INDEX execution_of_map_run ON execution (map_run, listed, id, status, items) WHERE map_run IS NOT NULL;

CREATE TABLE execution_input (
    execution_id bigint PRIMARY KEY,
    input text NOT NULL
);

-- How many executions of each shard are RUNNING: counting a million rows takes too long. A shard is written by one node
-- only, so that nobody waits for a row here.
CREATE TABLE running (
    shard bigint PRIMARY KEY,
    executions bigint NOT NULL
);

-- Each redrive, with what its caller named it: a request that comes again is told from a new one by that.
CREATE TABLE redrive (
    execution_id bigint NOT NULL,
    number bigint NOT NULL,
    client_token text NOT NULL,
    redriven bigint NOT NULL,
    PRIMARY KEY (execution_id, number)
);

-- Appended in the order of the commits: of one execution, `seq` is that order.
CREATE TABLE journal (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id bigint NOT NULL,
    first_event bigint NOT NULL,
    last_event bigint NOT NULL,
    events bytea NOT NULL
);

CREATE INDEX journal_of_execution ON journal (execution_id, last_event);

-- Executions that were removed because they ended long ago, if they left something behind: a journal, map runs.
CREATE TABLE removal (
    execution_id bigint PRIMARY KEY,
    revision bigint NOT NULL
);

-- The largest id of a removed execution: no id is given twice.
CREATE TABLE removed_last (
    shard bigint PRIMARY KEY,
    id bigint NOT NULL
);

-- Functions and layers -----------------------------------------------------------------------------------------

CREATE TABLE function (
    arn text COLLATE "C" PRIMARY KEY,
    -- The highest number that a version of it ever had.
    versions bigint NOT NULL DEFAULT 0,
    -- How many of its invocations may run at once; NULL: as many as there is room for.
    concurrency bigint
);

-- The archives, each once.
CREATE TABLE function_code (
    sha256 text COLLATE "C" PRIMARY KEY,
    archive bytea NOT NULL
);

-- They are compressed already.
ALTER TABLE function_code ALTER COLUMN archive SET STORAGE EXTERNAL;

-- Number 0 is $LATEST.
CREATE TABLE function_version (
    function text COLLATE "C" NOT NULL REFERENCES function (arn) ON DELETE CASCADE,
    number bigint NOT NULL,
    revision_id text NOT NULL,
    settings text NOT NULL,
    code text COLLATE "C" NOT NULL REFERENCES function_code (sha256),
    code_bytes bigint NOT NULL,
    modified bigint NOT NULL,
    PRIMARY KEY (function, number)
);

CREATE INDEX function_version_of_code ON function_version (code);

CREATE TABLE function_alias (
    function text COLLATE "C" NOT NULL REFERENCES function (arn) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    description text NOT NULL,
    version bigint NOT NULL,
    revision_id text NOT NULL,
    additional_version bigint,
    additional_weight double precision,
    PRIMARY KEY (function, name),
    FOREIGN KEY (function, version) REFERENCES function_version (function, number),
    FOREIGN KEY (function, additional_version) REFERENCES function_version (function, number)
);

CREATE INDEX function_alias_to_version ON function_alias (function, version);
CREATE INDEX function_alias_to_additional ON function_alias (function, additional_version);

CREATE TABLE function_tag (
    function text COLLATE "C" NOT NULL REFERENCES function (arn) ON DELETE CASCADE,
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (function, key)
);

CREATE TABLE function_statement (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    function text COLLATE "C" NOT NULL REFERENCES function (arn) ON DELETE CASCADE,
    -- '' is the function itself.
    qualifier text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    statement text NOT NULL,
    UNIQUE (function, qualifier, id)
);

CREATE INDEX function_statement_in_order ON function_statement (function, qualifier, seq);

CREATE TABLE function_config (
    function text COLLATE "C" NOT NULL REFERENCES function (arn) ON DELETE CASCADE,
    -- '' is the function itself; else a version or an alias.
    qualifier text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    config text NOT NULL,
    PRIMARY KEY (function, qualifier, kind)
);

CREATE INDEX function_config_by_kind ON function_config (kind, function, qualifier);

CREATE TABLE layer (
    arn text COLLATE "C" PRIMARY KEY,
    -- The highest number that a version of it ever had.
    versions bigint NOT NULL DEFAULT 0
);

CREATE TABLE layer_version (
    layer text COLLATE "C" NOT NULL REFERENCES layer (arn),
    number bigint NOT NULL,
    settings text NOT NULL,
    code text COLLATE "C" NOT NULL REFERENCES function_code (sha256),
    code_bytes bigint NOT NULL,
    created bigint NOT NULL,
    PRIMARY KEY (layer, number)
);

CREATE INDEX layer_version_of_code ON layer_version (code);

CREATE TABLE layer_statement (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    layer text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    statement text NOT NULL,
    UNIQUE (layer, number, id),
    FOREIGN KEY (layer, number) REFERENCES layer_version (layer, number) ON DELETE CASCADE
);

CREATE INDEX layer_statement_in_order ON layer_statement (layer, number, seq);

-- The layers of a version of a function, in their order.
CREATE TABLE function_layer (
    function text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    place bigint NOT NULL,
    code text COLLATE "C" NOT NULL REFERENCES function_code (sha256),
    PRIMARY KEY (function, number, place),
    FOREIGN KEY (function, number) REFERENCES function_version (function, number) ON DELETE CASCADE
);

CREATE INDEX function_layer_of_code ON function_layer (code);

-- Event sources, jobs and deliveries ---------------------------------------------------------------------------

CREATE TABLE event_source_mapping (
    arn text COLLATE "C" PRIMARY KEY,
    function_arn text COLLATE "C" NOT NULL,
    source_arn text COLLATE "C" NOT NULL,
    enabled bigint NOT NULL,
    settings text NOT NULL,
    tags text NOT NULL,
    modified bigint NOT NULL,
    UNIQUE (function_arn, source_arn)
);

-- Where event source mappings stand in their streams. It changes with every batch, the mapping only when somebody asks.
CREATE TABLE event_source_position (
    mapping_arn text COLLATE "C" PRIMARY KEY REFERENCES event_source_mapping (arn) ON DELETE CASCADE,
    position text NOT NULL
);

CREATE TABLE function_url (
    id text COLLATE "C" PRIMARY KEY,
    function_arn text COLLATE "C" NOT NULL,
    -- '' is the function itself.
    qualifier text COLLATE "C" NOT NULL,
    settings text NOT NULL,
    created bigint NOT NULL,
    modified bigint NOT NULL,
    UNIQUE (function_arn, qualifier)
);

CREATE TABLE job_record (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    kind text COLLATE "C" NOT NULL,
    parent text COLLATE "C" NOT NULL,
    open bigint NOT NULL,
    content text NOT NULL,
    token text COLLATE "C"
);

CREATE INDEX job_record_listed ON job_record (kind, parent, number);
CREATE INDEX job_record_open ON job_record (kind, number) WHERE open = 1;
CREATE INDEX job_record_of_token ON job_record (token, kind, number) WHERE token IS NOT NULL;

CREATE TABLE delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    target text COLLATE "C" NOT NULL,
    accepted bigint NOT NULL,
    due bigint NOT NULL,
    attempts bigint NOT NULL,
    message bytea NOT NULL
);

CREATE INDEX delivery_due ON delivery (target, due, id);

-- With a function go the events that wait for it, or for a version or alias of it (';' follows ':').
CREATE FUNCTION delivery_without_function() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM delivery
    WHERE target = old.arn OR (target > old.arn || ':' AND target < old.arn || ';');
    RETURN NULL;
END
$$;
CREATE TRIGGER delivery_without_function AFTER DELETE ON function
FOR EACH ROW EXECUTE FUNCTION delivery_without_function();
