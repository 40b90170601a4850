-- What is said in SQLite's own words: above all what is written for each execution, with values by position, which
-- costs less than values by name. The other statements are in `store/sql/statements/`.

-- name: secret_insert
INSERT INTO meta (id, secret) VALUES (1, :secret);

-- name: execution_last_id
-- Of those that are there, and those that were removed.
SELECT max(coalesce((SELECT max(id) FROM execution), 0), coalesce((SELECT max(id) FROM removed_last), 0));

-- name: revision_keys
-- Not of a machine that is gone, although revisions outlive it.
SELECT r.machine, r.key
FROM revision AS r JOIN machine_arn AS a ON a.key = r.machine JOIN machine AS m ON m.arn = a.arn
WHERE r.id = :id;

-- name: execution_insert
INSERT INTO execution (
    id, arn, name, status, started, stopped, wake, trace_header, version, alias, error, cause, output, machine, revision
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: executions_opened
UPDATE meta SET executions_open = executions_open + :count;

-- name: execution_input_insert
INSERT INTO execution_input (execution_id, input) VALUES (?, ?);

-- name: execution_update
UPDATE execution
SET status = ?, started = iif(map_run IS NULL, started, ?), stopped = ?, wake = ?, redrives = ?, redriven = ?, error = ?, cause = ?, output = ?
WHERE id = ?;

-- name: child_insert
INSERT INTO execution (
    id, arn, name, status, started, stopped, wake, error, cause, output, child, items, map_run, machine, revision
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: redrive_insert
-- Only of an execution that has ended, and only while its machine is there to stay.
INSERT INTO redrive (execution_id, number, client_token, redriven)
SELECT e.id, ?2, ?3, ?4
FROM execution AS e JOIN machine_arn AS a ON a.key = e.machine JOIN machine AS m ON m.arn = a.arn
WHERE e.id = ?1 AND e.status <> 'RUNNING' AND m.status = 'ACTIVE';

-- name: executions_open
SELECT executions_open FROM meta;

-- name: journal_insert
INSERT INTO journal (execution_id, first_event, last_event, events) VALUES (?, ?, ?, ?);

-- name: machine_lock
-- Nobody else writes.
SELECT 1;
