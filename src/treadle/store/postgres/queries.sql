-- What is said in PostgreSQL's own words. Batches of executions are written with `commit/parts.sql`.

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
        AND id >> 48 IN (SELECT value FROM json_each(:shards))
    ORDER BY wake, id
    LIMIT :limit
) AS due
JOIN execution AS e ON e.id = due.id
JOIN revision AS r ON r.key = e.revision
JOIN machine_arn AS a ON a.key = e.machine
LEFT JOIN map_run AS p ON p.id = e.map_run
ORDER BY due.wake, due.id;

-- name: executions_expired
-- Machine by machine and status by status, each in the order of an index which is there anyway.
SELECT e.id
FROM machine_arn AS a
CROSS JOIN unnest(ARRAY['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED']) AS s (status)
CROSS JOIN LATERAL (
    SELECT x.id FROM execution AS x
    WHERE x.machine = a.key AND x.status = s.status AND x.map_run IS NULL AND x.listed < :before
        AND NOT EXISTS (SELECT 1 FROM map_run AS m WHERE m.execution_id = x.id AND m.status = 'RUNNING')
    ORDER BY x.listed, x.id
    LIMIT :limit
) AS e
LIMIT :limit;

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

-- name: removals
-- As in SQLite, and each is in the hands of one node at a time.
SELECT r.execution_id, r.revision FROM removal AS r
WHERE NOT EXISTS (SELECT 1 FROM map_run AS m WHERE m.execution_id = r.execution_id AND m.status = 'RUNNING')
ORDER BY r.execution_id
LIMIT :limit
FOR UPDATE OF r SKIP LOCKED;
