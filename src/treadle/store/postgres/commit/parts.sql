-- The parts of the statement that writes a batch of commits (`commits.py`). `:given` are the rows that a part is given.
-- All parts see the tables as they were before the statement.

-- name: created
-- Not for a machine that is gone, although revisions outlive it; the lock keeps it from going meanwhile, by whatever
-- node. So the revision needs no foreign key.
INSERT INTO execution (
    id, arn, name, machine, revision, status, started, stopped, wake, trace_header, version, alias, error, cause,
    output, redrives, redriven
)
SELECT
    given.id, given.arn, given.name, r.machine, r.key, given.status, given.started, given.stopped, given.wake,
    given.trace_header, given.version, given.alias, given.error, given.cause, given.output, given.redrives,
    given.redriven
FROM :given
JOIN revision AS r ON r.id = given.revision_id
JOIN machine_arn AS a ON a.key = r.machine
JOIN machine AS m ON m.arn = a.arn
FOR KEY SHARE OF m
RETURNING id, (status = 'RUNNING')::int AS begun

-- name: children
INSERT INTO execution (
    id, arn, name, machine, revision, status, started, stopped, wake, error, cause, output, redrives, redriven,
    child, items, map_run
)
SELECT
    given.id, given.arn, given.name, p.machine, p.revision, given.status, given.started, given.stopped, given.wake,
    given.error, given.cause, given.output, given.redrives, given.redriven, given.child, given.items, p.id
FROM :given
JOIN map_run AS p ON p.arn = given.map_run
RETURNING id, (status = 'RUNNING')::int AS begun

-- name: inputs
INSERT INTO execution_input (execution_id, input) SELECT id, input FROM :given

-- name: redriven
-- Only of an execution that has ended, and only while its machine is there to stay.
INSERT INTO redrive (execution_id, number, client_token, redriven)
SELECT e.id, given.number, given.client_token, given.redriven
FROM :given
JOIN execution AS e ON e.id = given.id
JOIN machine_arn AS a ON a.key = e.machine
JOIN machine AS m ON m.arn = a.arn
WHERE e.status <> 'RUNNING' AND m.status = 'ACTIVE'
FOR SHARE OF m
RETURNING 1

-- name: changed
UPDATE execution AS e
SET status = given.status, started = CASE WHEN e.map_run IS NULL THEN e.started ELSE given.started END,
    stopped = given.stopped, wake = given.wake, redrives = given.redrives, redriven = given.redriven,
    error = given.error, cause = given.cause, output = given.output
FROM :given
JOIN execution AS was ON was.id = given.id
WHERE e.id = was.id
RETURNING e.id, (e.status = 'RUNNING')::int - (was.status = 'RUNNING')::int AS begun

-- name: journaled
INSERT INTO journal (execution_id, first_event, last_event, events)
SELECT id, first_event, last_event, events FROM :given

-- name: answered
UPDATE request AS q SET answer = given.answer, answered = (extract(epoch FROM now()) * 1000)::bigint
FROM :given
WHERE q.id = given.id AND q.answer IS NULL

-- name: counted
-- How many more executions run than before, of each shard.
INSERT INTO running AS r (shard, executions)
SELECT moved.id >> 48, sum(moved.begun)
FROM (:moved) AS moved
WHERE moved.begun <> 0
GROUP BY moved.id >> 48
HAVING sum(moved.begun) <> 0
ON CONFLICT (shard) DO UPDATE SET executions = r.executions + excluded.executions
