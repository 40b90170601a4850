-- What is said in PostgreSQL's own words: what writes many executions with one statement, and where its SQL differs.

-- name: commit
-- A batch of commits. Each part is given as one array for each column; all parts see the tables as they were before.
-- `FOR SHARE` keeps machines from going meanwhile, by whatever node.
WITH created AS (
    INSERT INTO execution (
        id, arn, name, machine, revision, status, started, stopped, wake, trace_header, version, alias, error, cause,
        output, redrives, redriven
    )
    SELECT
        c.id, c.arn, c.name, r.machine, r.key, c.status, c.started, c.stopped, c.wake, c.trace_header, c.version,
        c.alias, c.error, c.cause, c.output, c.redrives, c.redriven
    FROM unnest(
        $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[]
    ) AS c (
        id, arn, name, revision_id, status, started, stopped, wake, trace_header, version, alias, error, cause, output,
        redrives, redriven
    )
    JOIN revision AS r ON r.id = c.revision_id
    JOIN machine_arn AS a ON a.key = r.machine
    JOIN machine AS m ON m.arn = a.arn
    FOR KEY SHARE OF m
    RETURNING id, status
),
children AS (
    INSERT INTO execution (
        id, arn, name, machine, revision, status, started, stopped, wake, error, cause, output, redrives, redriven,
        child, items, map_run
    )
    SELECT
        c.id, c.arn, c.name, p.machine, p.revision, c.status, c.started, c.stopped, c.wake, c.error, c.cause,
        c.output, c.redrives, c.redriven, c.child, c.items, p.id
    FROM unnest(
        $17::bigint[], $18::text[], $19::text[], $20::text[], $21::text[], $22::bigint[], $23::bigint[], $24::bigint[],
        $25::text[], $26::text[], $27::text[], $28::bigint[], $29::bigint[], $30::bigint[], $31::bigint[]
    ) AS c (
        id, arn, name, map_run, status, started, stopped, wake, error, cause, output, redrives, redriven, child, items
    )
    JOIN map_run AS p ON p.arn = c.map_run
    RETURNING id, status
),
inputs AS (
    INSERT INTO execution_input (execution_id, input) SELECT * FROM unnest($32::bigint[], $33::text[])
),
redriven AS (
    -- Only of an execution that has ended, and only while its machine is there to stay.
    INSERT INTO redrive (execution_id, number, client_token, redriven)
    SELECT e.id, n.number, n.client_token, n.redriven
    FROM unnest($34::bigint[], $35::bigint[], $36::text[], $37::bigint[]) AS n (id, number, client_token, redriven)
    JOIN execution AS e ON e.id = n.id
    JOIN machine_arn AS a ON a.key = e.machine
    JOIN machine AS m ON m.arn = a.arn
    WHERE e.status <> 'RUNNING' AND m.status = 'ACTIVE'
    FOR SHARE OF m
    RETURNING 1
),
changed AS (
    UPDATE execution AS e
    SET status = n.status, started = CASE WHEN e.map_run IS NULL THEN e.started ELSE n.started END,
        stopped = n.stopped, wake = n.wake, redrives = n.redrives, redriven = n.redriven, error = n.error,
        cause = n.cause, output = n.output
    FROM unnest(
        $38::bigint[], $39::text[], $40::bigint[], $41::bigint[], $42::bigint[], $43::bigint[], $44::bigint[],
        $45::text[], $46::text[], $47::text[]
    ) AS n (id, status, started, stopped, wake, redrives, redriven, error, cause, output)
    JOIN execution AS was ON was.id = n.id
    WHERE e.id = was.id
    RETURNING e.id, e.status, was.status AS was
),
journaled AS (
    INSERT INTO journal (execution_id, first_event, last_event, events)
    SELECT * FROM unnest($48::bigint[], $49::bigint[], $50::bigint[], $51::bytea[])
),
answers AS (
    UPDATE request AS q SET answer = n.answer, answered = (extract(epoch FROM now()) * 1000)::bigint
    FROM unnest($52::bigint[], $53::bytea[]) AS n (id, answer)
    WHERE q.id = n.id AND q.answer IS NULL
),
counted AS (
    INSERT INTO running AS r (shard, executions)
    SELECT moved.id >> 48, sum(moved.more)
    FROM (
        SELECT id, 1 AS more FROM created WHERE status = 'RUNNING'
        UNION ALL SELECT id, 1 FROM children WHERE status = 'RUNNING'
        UNION ALL SELECT id, 1 FROM changed WHERE status = 'RUNNING' AND was <> 'RUNNING'
        UNION ALL SELECT id, -1 FROM changed WHERE status <> 'RUNNING' AND was = 'RUNNING'
    ) AS moved
    GROUP BY moved.id >> 48
    HAVING sum(moved.more) <> 0
    ON CONFLICT (shard) DO UPDATE SET executions = r.executions + excluded.executions
)
SELECT
    demand((SELECT count(*) FROM created) = cardinality($1), 'the machine that an execution was to run is gone'),
    demand(
        (SELECT count(*) FROM children) = cardinality($17),
        'the map run that was to start an execution is not there'
    ),
    demand(
        (SELECT count(*) FROM redriven) = cardinality($34),
        'an execution that was to be redriven runs, or its machine is going or gone'
    ),
    demand((SELECT count(*) FROM changed) = cardinality($38), 'an execution that was to be changed does not exist');

-- name: shard_last_id
-- Of the executions that are there, and of those that were removed.
SELECT greatest(
    (SELECT max(id) FROM execution WHERE id >= :first AND id <= :last),
    (SELECT id FROM removed_last WHERE shard = :shard),
    :first
);

-- name: executions_open
SELECT coalesce(sum(executions), 0) FROM running;

-- name: executions_due
-- What is read of those in other shards is the index.
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, e.output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, p.arn AS map_run, e.child, e.items
FROM (
    SELECT wake, id FROM execution
    WHERE status = 'RUNNING' AND wake <= :until AND (wake, id) > (:after_wake, :after_id)
        AND id >> 48 = ANY(CAST(:shards AS bigint[]))
    ORDER BY wake, id
    LIMIT :limit
) AS due
JOIN execution AS e ON e.id = due.id
JOIN revision AS r ON r.key = e.revision
JOIN machine_arn AS a ON a.key = e.machine
LEFT JOIN map_run AS p ON p.id = e.map_run
ORDER BY due.wake, due.id;

-- name: journal_sizes
SELECT execution_id, sum(length(events)) FROM journal
WHERE execution_id IN (SELECT value::bigint FROM jsonb_array_elements_text(CAST(:execution_ids AS jsonb)))
GROUP BY execution_id;

-- name: journals
SELECT execution_id, first_event, last_event, events FROM journal
WHERE execution_id IN (SELECT value::bigint FROM jsonb_array_elements_text(CAST(:execution_ids AS jsonb)))
ORDER BY seq + 0;

-- name: machine_lock
-- Executions are begun with a lock that this one waits for: none begins behind the back of what follows.
SELECT 1 FROM machine WHERE arn = :arn FOR UPDATE;

-- name: shard_take
-- The lock is the session's, not the transaction's.
SELECT pg_try_advisory_lock(1, CAST(:shard AS int));

-- name: shard_let_go
SELECT pg_advisory_unlock(1, CAST(:shard AS int));

-- name: machine_remove
-- The routes of its aliases go in so many words: they keep its versions, which might go before them.
WITH going AS (
    SELECT m.arn FROM machine AS m
    WHERE m.arn = :arn AND m.status = 'DELETING' AND NOT EXISTS (
        SELECT 1 FROM machine_arn AS a JOIN execution AS e ON e.machine = a.key
        WHERE a.arn = :arn AND e.status = 'RUNNING' AND e.map_run IS NULL
    )
),
routes AS (
    DELETE FROM alias_route WHERE machine IN (SELECT arn FROM going)
)
DELETE FROM machine WHERE arn IN (SELECT arn FROM going);
