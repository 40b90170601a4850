-- Map runs and their children. Columns stand in the order of the contract's fields.

-- name: map_run_insert
INSERT INTO map_run (
    arn, execution_id, execution_arn, machine, revision, state, status, started, stopped,
    concurrency, tolerated_count, tolerated_percentage, items, children, error, cause,
    results_written, redrives, redriven
)
SELECT
    :arn, :execution_id, :execution_arn, a.key, r.key, :state, :status, :started, :stopped,
    :concurrency, :tolerated_count, :tolerated_percentage, :items, :children, :error, :cause,
    :results_written, :redrives, :redriven
FROM machine_arn AS a, revision AS r
WHERE a.arn = :machine_arn AND r.id = :revision_id;

-- name: map_run_get
SELECT
    m.id, m.arn, m.execution_id, m.execution_arn, a.arn AS machine_arn, r.id AS revision_id, m.state, m.status,
    m.started, m.stopped, m.concurrency, m.tolerated_count, m.tolerated_percentage, m.items, m.children,
    m.error, m.cause, m.results_written, m.redrives, m.redriven
FROM map_run AS m JOIN machine_arn AS a ON a.key = m.machine JOIN revision AS r ON r.key = m.revision
WHERE m.arn = :arn;

-- name: map_run_list
SELECT
    m.id, m.arn, m.execution_id, m.execution_arn, a.arn AS machine_arn, r.id AS revision_id, m.state, m.status,
    m.started, m.stopped, m.concurrency, m.tolerated_count, m.tolerated_percentage, m.items, m.children,
    m.error, m.cause, m.results_written, m.redrives, m.redriven
FROM map_run AS m JOIN machine_arn AS a ON a.key = m.machine JOIN revision AS r ON r.key = m.revision
WHERE m.execution_id = :execution_id AND m.id < :before
ORDER BY m.id DESC
LIMIT :limit;

-- name: map_runs_running
SELECT
    m.id, m.arn, m.execution_id, m.execution_arn, a.arn AS machine_arn, r.id AS revision_id, m.state, m.status,
    m.started, m.stopped, m.concurrency, m.tolerated_count, m.tolerated_percentage, m.items, m.children,
    m.error, m.cause, m.results_written, m.redrives, m.redriven
FROM map_run AS m JOIN machine_arn AS a ON a.key = m.machine JOIN revision AS r ON r.key = m.revision
WHERE m.status = 'RUNNING'
ORDER BY m.id;

-- name: map_run_configure
UPDATE map_run
SET concurrency = coalesce(:concurrency, concurrency),
    tolerated_count = coalesce(:tolerated_count, tolerated_count),
    tolerated_percentage = coalesce(:tolerated_percentage, tolerated_percentage)
WHERE arn = :arn AND status = 'RUNNING';

-- name: map_run_end
UPDATE map_run
SET status = :status, stopped = :stopped, items = :items, children = :children,
    error = :error, cause = :cause, results_written = :results_written
WHERE arn = :arn AND status = 'RUNNING';

-- name: map_run_redrive
UPDATE map_run
SET status = 'RUNNING', stopped = NULL, error = NULL, cause = NULL, results_written = 0,
    redrives = :redrives, redriven = :redriven
WHERE arn = :arn;

-- name: children_await_redrive
UPDATE execution SET wake = 0
WHERE map_run = (SELECT id FROM map_run WHERE arn = :arn) AND status IN ('FAILED', 'TIMED_OUT', 'ABORTED');

-- name: children_stay_ended
UPDATE execution SET wake = NULL
WHERE map_run = (SELECT id FROM map_run WHERE arn = :arn) AND status <> 'RUNNING' AND wake IS NOT NULL;

-- name: map_run_note_insert
INSERT INTO map_run_note (map_run, note) SELECT id, :note FROM map_run WHERE arn = :arn;

-- name: map_run_notes
SELECT note FROM map_run_note WHERE map_run = (SELECT id FROM map_run WHERE arn = :arn) ORDER BY id;

-- name: map_run_counts
SELECT e.status, count(*), sum(e.items)
FROM map_run AS m JOIN execution AS e INDEXED BY execution_of_map_run ON e.map_run = m.id
WHERE m.arn = :arn
GROUP BY e.status;


-- name: map_run_keys
SELECT id, machine, revision FROM map_run WHERE arn = :arn;

-- name: child_places
SELECT e.child, e.items, e.status, e.id, e.status <> 'RUNNING' AND e.wake IS NOT NULL
FROM execution AS e INDEXED BY execution_as_child
WHERE e.map_run = (SELECT id FROM map_run WHERE arn = :arn) AND e.child > :after
ORDER BY e.child
LIMIT :limit;

-- name: child_results
-- `statuses` are words between blanks.
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    i.input, e.output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, CAST(:arn AS text) AS map_run, e.child, e.items
FROM execution AS e INDEXED BY execution_as_child
JOIN execution_input AS i ON i.execution_id = e.id
JOIN machine_arn AS a ON a.key = e.machine
JOIN revision AS r ON r.key = e.revision
WHERE e.map_run = (SELECT id FROM map_run WHERE arn = :arn) AND e.child > :after
    AND :statuses LIKE '% ' || e.status || ' %'
ORDER BY e.child
LIMIT :limit;

-- name: children_to_redrive
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    i.input, e.output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, CAST(:arn AS text) AS map_run, e.child, e.items
FROM execution AS e INDEXED BY execution_as_child
JOIN execution_input AS i ON i.execution_id = e.id
JOIN machine_arn AS a ON a.key = e.machine
JOIN revision AS r ON r.key = e.revision
WHERE e.map_run = (SELECT id FROM map_run WHERE arn = :arn) AND e.child > :after
    AND e.status <> 'RUNNING' AND e.wake IS NOT NULL
ORDER BY e.child
LIMIT :limit;

-- name: child_list
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, CAST(:arn AS text) AS map_run, e.child, e.items
FROM execution AS e INDEXED BY execution_of_map_run
JOIN machine_arn AS a ON a.key = e.machine
JOIN revision AS r ON r.key = e.revision
WHERE e.map_run = (SELECT id FROM map_run WHERE arn = :arn) AND (e.listed, e.id) < (:before_listed, :before_id)
    AND (
        CASE WHEN e.status <> 'RUNNING' AND e.wake IS NOT NULL THEN 'PENDING_REDRIVE' ELSE e.status END = :status
        OR :status IS NULL
    )
    AND ((e.redrives > 0) = :redriven OR :redriven IS NULL)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;
