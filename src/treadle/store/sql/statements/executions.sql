-- Executions and their journals. Columns stand in the order of the contract's fields.

-- name: secret
SELECT secret FROM meta;

-- name: redrives
SELECT client_token, redriven FROM redrive WHERE execution_id = :execution_id ORDER BY number DESC LIMIT :limit;

-- name: execution_get
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    i.input, e.output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, p.arn AS map_run, e.child, e.items
FROM execution AS e
JOIN execution_input AS i ON i.execution_id = e.id
JOIN revision AS r ON r.key = e.revision
JOIN machine_arn AS a ON a.key = e.machine
LEFT JOIN map_run AS p ON p.id = e.map_run
WHERE e.arn = :arn;

-- name: execution_statuses
SELECT arn, id, status FROM execution WHERE arn IN (SELECT value FROM json_each(:arns));

-- name: execution_list
SELECT
    e.id, e.arn, e.name, CAST(:machine_arn AS text) AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, NULL AS map_run, NULL AS child, NULL AS items
FROM execution AS e INDEXED BY execution_by_age
JOIN revision AS r ON r.key = e.revision
WHERE e.machine = (SELECT key FROM machine_arn WHERE arn = :machine_arn) AND e.map_run IS NULL AND e.child IS NULL
    AND (e.listed, e.id) < (:before_listed, :before_id)
    AND ((e.redrives > 0) = :redriven OR :redriven IS NULL)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;

-- name: execution_list_by_status
SELECT
    e.id, e.arn, e.name, CAST(:machine_arn AS text) AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, NULL AS map_run, NULL AS child, NULL AS items
FROM execution AS e INDEXED BY execution_by_status
JOIN revision AS r ON r.key = e.revision
WHERE e.machine = (SELECT key FROM machine_arn WHERE arn = :machine_arn) AND e.map_run IS NULL
    AND e.status = :status AND (e.listed, e.id) < (:before_listed, :before_id)
    AND ((e.redrives > 0) = :redriven OR :redriven IS NULL)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;

-- name: execution_list_of_version
SELECT
    e.id, e.arn, e.name, CAST(:machine_arn AS text) AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, NULL AS map_run, NULL AS child, NULL AS items
FROM execution AS e INDEXED BY execution_by_version
JOIN revision AS r ON r.key = e.revision
WHERE e.machine = (SELECT key FROM machine_arn WHERE arn = :machine_arn)
    AND e.version = :version AND (e.listed, e.id) < (:before_listed, :before_id)
    AND (e.status = :status OR :status IS NULL)
    AND ((e.redrives > 0) = :redriven OR :redriven IS NULL)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;

-- name: execution_list_of_alias
SELECT
    e.id, e.arn, e.name, CAST(:machine_arn AS text) AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, NULL AS map_run, NULL AS child, NULL AS items
FROM execution AS e INDEXED BY execution_by_alias
JOIN revision AS r ON r.key = e.revision
WHERE e.machine = (SELECT key FROM machine_arn WHERE arn = :machine_arn)
    AND e.alias = :alias AND (e.listed, e.id) < (:before_listed, :before_id)
    AND (e.status = :status OR :status IS NULL)
    AND ((e.redrives > 0) = :redriven OR :redriven IS NULL)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;

-- name: execution_list_redriven
-- Few are: every other condition is looked at row by row.
SELECT
    e.id, e.arn, e.name, CAST(:machine_arn AS text) AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, NULL AS map_run, NULL AS child, NULL AS items
FROM execution AS e INDEXED BY execution_redriven
JOIN revision AS r ON r.key = e.revision
WHERE e.machine = (SELECT key FROM machine_arn WHERE arn = :machine_arn) AND e.redrives > 0
    AND (e.listed, e.id) < (:before_listed, :before_id)
    AND (e.status = :status OR :status IS NULL)
    AND (e.version = :version OR :version IS NULL)
    AND (e.alias = :alias OR :alias IS NULL)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;

-- name: executions_due
-- In two parts, because SQLite does not look for a pair of values where the first of them has another bound, too: of very
-- many with one `wake`, each page would go through all that come before it.
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, e.output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, p.arn AS map_run, e.child, e.items
FROM (
    SELECT wake, id FROM execution INDEXED BY execution_due
    WHERE status = 'RUNNING' AND wake = :after_wake AND wake <= :until AND id > :after_id
    UNION ALL
    SELECT wake, id FROM execution INDEXED BY execution_due
    WHERE status = 'RUNNING' AND wake > :after_wake AND wake <= :until
    ORDER BY wake, id
    LIMIT :limit
) AS due
JOIN execution AS e ON e.id = due.id
JOIN revision AS r ON r.key = e.revision
JOIN machine_arn AS a ON a.key = e.machine
LEFT JOIN map_run AS p ON p.id = e.map_run
ORDER BY due.wake, due.id;

-- name: journal
-- `seq + 0`: by no index, for the one of all journals has that order, too.
SELECT first_event, last_event, events FROM journal WHERE execution_id = :execution_id ORDER BY seq + 0;

-- name: journal_sizes
SELECT execution_id, sum(length(events)) FROM journal
WHERE execution_id IN (SELECT value FROM json_each(:execution_ids))
GROUP BY execution_id;

-- name: journals
SELECT execution_id, first_event, last_event, events FROM journal
WHERE execution_id IN (SELECT value FROM json_each(:execution_ids))
ORDER BY seq + 0;

-- name: journal_page
-- The last entry of the page is the first one that ends at `last_event` or behind it.
SELECT first_event, last_event, events FROM journal
WHERE execution_id = :execution_id
    AND last_event >= :first_event
    AND last_event <= coalesce(
        (SELECT min(last_event) FROM journal WHERE execution_id = :execution_id AND last_event >= :last_event),
        :last_event
    )
ORDER BY last_event;

-- name: journal_last_event
SELECT coalesce(max(last_event), 0) FROM journal WHERE execution_id = :execution_id;
