-- Every statement by its name; `sql.py` reads this file. Columns stand in the order of the contract's fields.

-- name: secret
SELECT secret FROM meta;

-- name: secret_insert
INSERT INTO meta (id, secret) VALUES (1, :secret);


-- name: machine_arn_insert
INSERT INTO machine_arn (arn) VALUES (:arn) ON CONFLICT DO NOTHING;

-- name: revision_insert
INSERT INTO revision (id, machine, definition, role_arn, logging, tracing, encryption, created, initial)
SELECT :id, key, :definition, :role_arn, :logging, :tracing, :encryption, :created, :initial
FROM machine_arn WHERE arn = :machine_arn;

-- name: revision_get
SELECT r.id, a.arn AS machine_arn, r.definition, r.role_arn, r.logging, r.tracing, r.encryption, r.created, r.initial
FROM revision AS r JOIN machine_arn AS a ON a.key = r.machine
WHERE r.id = :id;

-- name: revision_delete_unused
-- Of a machine that is gone: the revisions that no execution was started with.
DELETE FROM revision
WHERE machine = (SELECT key FROM machine_arn WHERE arn = :arn)
    AND NOT EXISTS (SELECT 1 FROM execution WHERE execution.revision = revision.key AND map_run IS NULL);

-- name: machine_insert
INSERT INTO machine (arn, name, type, status, created, revision)
VALUES (:arn, :name, :type, :status, :created, (SELECT key FROM revision WHERE id = :revision_id));

-- name: machine_tag_insert
INSERT INTO machine_tag (arn, key, value) VALUES (:arn, :key, :value);

-- name: machine_update
UPDATE machine SET revision = (SELECT key FROM revision WHERE id = :revision_id)
WHERE arn = :arn AND status = 'ACTIVE';

-- name: machine_delete
UPDATE machine SET status = 'DELETING' WHERE arn = :arn;

-- name: machine_remove
DELETE FROM machine
WHERE arn = :arn AND status = 'DELETING' AND NOT EXISTS (
    SELECT 1 FROM execution
    WHERE machine = (SELECT key FROM machine_arn WHERE arn = :arn) AND status = 'RUNNING' AND map_run IS NULL
);

-- name: machine_get
SELECT
    m.arn, m.name, m.type, m.status, m.created,
    r.id, m.arn AS machine_arn, r.definition, r.role_arn, r.logging, r.tracing, r.encryption, r.created, r.initial
FROM machine AS m JOIN revision AS r ON r.key = m.revision
WHERE m.arn = :arn;

-- name: machine_list
SELECT
    m.arn, m.name, m.type, m.status, m.created,
    r.id, m.arn AS machine_arn, r.definition, r.role_arn, r.logging, r.tracing, r.encryption, r.created, r.initial
FROM machine AS m JOIN revision AS r ON r.key = m.revision
WHERE m.arn > :after AND m.arn >= :arn_prefix
    AND substr(m.arn, 1, length(:arn_prefix)) = :arn_prefix
ORDER BY m.arn
LIMIT :limit;

-- name: machine_count
-- No name of a machine holds the code point that bounds the range.
SELECT count(*) FROM machine WHERE arn >= :arn_prefix AND arn < :arn_prefix || char(0x10ffff);

-- name: machine_is_deleting
SELECT 1 FROM machine WHERE arn = :arn AND status = 'DELETING';

-- name: machines_deleting
SELECT arn FROM machine WHERE status = 'DELETING';

-- name: machine_tags
SELECT key, value FROM machine_tag WHERE arn = :arn ORDER BY key;

-- name: machine_tag_set
INSERT INTO machine_tag (arn, key, value) VALUES (:arn, :key, :value)
ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value;

-- name: machine_tag_delete
DELETE FROM machine_tag WHERE arn = :arn AND key = :key;


-- name: version_next
UPDATE machine SET versions = versions + 1
WHERE arn = :arn AND status = 'ACTIVE' AND revision = (SELECT key FROM revision WHERE id = :revision_id)
RETURNING versions;

-- name: version_insert
INSERT INTO version (machine, number, revision, description, created)
VALUES (:arn, :number, (SELECT key FROM revision WHERE id = :revision_id), :description, :created);

-- name: version_get
SELECT
    v.machine, v.number, v.description, v.created,
    r.id, v.machine AS machine_arn, r.definition, r.role_arn, r.logging, r.tracing, r.encryption, r.created, r.initial
FROM version AS v JOIN revision AS r ON r.key = v.revision
WHERE v.machine = :machine_arn AND v.number = :number;

-- name: version_of
SELECT
    v.machine, v.number, v.description, v.created,
    r.id, v.machine AS machine_arn, r.definition, r.role_arn, r.logging, r.tracing, r.encryption, r.created, r.initial
FROM version AS v JOIN revision AS r ON r.key = v.revision
WHERE r.id = :revision_id;

-- name: version_list
SELECT
    v.machine, v.number, v.description, v.created,
    r.id, v.machine AS machine_arn, r.definition, r.role_arn, r.logging, r.tracing, r.encryption, r.created, r.initial
FROM version AS v JOIN revision AS r ON r.key = v.revision
WHERE v.machine = :machine_arn AND v.number < :before
ORDER BY v.number DESC
LIMIT :limit;

-- name: version_count
SELECT count(*) FROM version WHERE machine = :machine_arn;

-- name: version_delete
DELETE FROM version WHERE machine = :machine_arn AND number = :number;


-- name: alias_insert
INSERT INTO alias (machine, name, description, created, updated)
VALUES (:machine_arn, :name, :description, :created, :updated);

-- name: alias_update
UPDATE alias SET description = :description, updated = :updated WHERE machine = :machine_arn AND name = :name;

-- name: alias_delete
DELETE FROM alias WHERE machine = :machine_arn AND name = :name;

-- name: alias_route_insert
INSERT INTO alias_route (machine, alias, position, version, weight)
VALUES (:machine_arn, :name, :position, :version, :weight);

-- name: alias_routes_delete
DELETE FROM alias_route WHERE machine = :machine_arn AND alias = :name;

-- name: alias_get
SELECT a.machine, a.name, a.description, a.created, a.updated, r.version, r.weight
FROM alias AS a JOIN alias_route AS r ON r.machine = a.machine AND r.alias = a.name
WHERE a.machine = :machine_arn AND a.name = :name
ORDER BY r.position;

-- name: alias_list
SELECT a.machine, a.name, a.description, a.created, a.updated, r.version, r.weight
FROM (
    SELECT * FROM alias
    WHERE machine = :machine_arn AND name > :after
        AND (
            :version IS NULL
            OR EXISTS (
                SELECT 1 FROM alias_route AS t
                WHERE t.machine = :machine_arn AND t.version = :version AND t.alias = alias.name
            )
        )
    ORDER BY name
    LIMIT :limit
) AS a JOIN alias_route AS r ON r.machine = a.machine AND r.alias = a.name
ORDER BY a.name, r.position;

-- name: alias_count
SELECT count(*) FROM alias WHERE machine = :machine_arn;


-- name: execution_last_id
SELECT coalesce(max(id), 0) FROM execution;

-- name: execution_insert
-- Not for a machine that is gone, although revisions outlive it.
INSERT INTO execution (
    id, arn, name, machine, revision, status, started, stopped, wake, trace_header, version, alias, error, cause, output
)
SELECT ?1, ?2, ?3, r.machine, r.key, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
FROM revision AS r JOIN machine_arn AS a ON a.key = r.machine JOIN machine AS m ON m.arn = a.arn
WHERE r.id = ?4;

-- name: execution_input_insert
INSERT INTO execution_input (execution_id, input) VALUES (?, ?);

-- name: execution_update
UPDATE execution
SET status = ?, started = iif(map_run IS NULL, started, ?), stopped = ?, wake = ?, redrives = ?, redriven = ?, error = ?, cause = ?, output = ?
WHERE id = ?;

-- name: redrive_insert
-- Only of an execution that has ended, and only while its machine is there to stay.
INSERT INTO redrive (execution_id, number, client_token, redriven)
SELECT e.id, ?2, ?3, ?4
FROM execution AS e JOIN machine_arn AS a ON a.key = e.machine JOIN machine AS m ON m.arn = a.arn
WHERE e.id = ?1 AND e.status <> 'RUNNING' AND m.status = 'ACTIVE';

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

-- name: execution_list
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, NULL AS map_run, NULL AS child, NULL AS items
FROM machine_arn AS a
JOIN execution AS e INDEXED BY execution_by_age ON e.machine = a.key AND e.map_run IS NULL
JOIN revision AS r ON r.key = e.revision
WHERE a.arn = :machine_arn AND (e.listed, e.id) < (:before_listed, :before_id)
    AND (e.redrives = 0 OR :redriven IS NULL)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;

-- name: execution_list_by_status
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, NULL AS map_run, NULL AS child, NULL AS items
FROM machine_arn AS a
JOIN execution AS e INDEXED BY execution_by_status ON e.machine = a.key AND e.map_run IS NULL
JOIN revision AS r ON r.key = e.revision
WHERE a.arn = :machine_arn AND e.status = :status AND (e.listed, e.id) < (:before_listed, :before_id)
    AND (e.redrives = 0 OR :redriven IS NULL)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;

-- name: execution_list_of_version
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, NULL AS map_run, NULL AS child, NULL AS items
FROM machine_arn AS a
JOIN execution AS e INDEXED BY execution_by_version ON e.machine = a.key
JOIN revision AS r ON r.key = e.revision
WHERE a.arn = :machine_arn AND e.version = :version AND (e.listed, e.id) < (:before_listed, :before_id)
    AND (:status IS NULL OR e.status = :status)
    AND (e.redrives = 0 OR :redriven IS NULL)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;

-- name: execution_list_of_alias
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, NULL AS map_run, NULL AS child, NULL AS items
FROM machine_arn AS a
JOIN execution AS e INDEXED BY execution_by_alias ON e.machine = a.key
JOIN revision AS r ON r.key = e.revision
WHERE a.arn = :machine_arn AND e.alias = :alias AND (e.listed, e.id) < (:before_listed, :before_id)
    AND (:status IS NULL OR e.status = :status)
    AND (e.redrives = 0 OR :redriven IS NULL)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;

-- name: execution_list_redriven
-- Few are: every other condition is looked at row by row.
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, NULL AS output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, NULL AS map_run, NULL AS child, NULL AS items
FROM machine_arn AS a
JOIN execution AS e INDEXED BY execution_redriven ON e.machine = a.key AND e.redrives > 0
JOIN revision AS r ON r.key = e.revision
WHERE a.arn = :machine_arn AND (e.listed, e.id) < (:before_listed, :before_id)
    AND (:status IS NULL OR e.status = :status)
    AND (:version IS NULL OR e.version = :version)
    AND (:alias IS NULL OR e.alias = :alias)
ORDER BY e.listed DESC, e.id DESC
LIMIT :limit;

-- name: executions_due
SELECT
    e.id, e.arn, e.name, a.arn AS machine_arn, r.id AS revision_id, e.status, e.started, e.stopped,
    '' AS input, e.output, e.error, e.cause, e.trace_header, e.version, e.alias,
    e.redrives, e.redriven, e.wake, p.arn AS map_run, e.child, e.items
FROM execution AS e INDEXED BY execution_due
JOIN revision AS r ON r.key = e.revision
JOIN machine_arn AS a ON a.key = e.machine
LEFT JOIN map_run AS p ON p.id = e.map_run
WHERE e.status = 'RUNNING' AND e.wake <= :until AND (e.wake, e.id) > (:after_wake, :after_id)
ORDER BY e.wake, e.id
LIMIT :limit;

-- name: executions_open
SELECT executions_open FROM meta;


-- name: journal_insert
INSERT INTO journal (execution_id, first_event, last_event, events) VALUES (?, ?, ?, ?);

-- name: journal
SELECT first_event, last_event, events FROM journal WHERE execution_id = :execution_id ORDER BY seq;

-- name: journal_page
-- The last entry of the page is the first one that ends at `last_event` or behind it.
SELECT first_event, last_event, events FROM journal
WHERE execution_id = :execution_id
    AND last_event >= max(:first_event, 1)
    AND last_event <= coalesce(
        (SELECT min(last_event) FROM journal WHERE execution_id = :execution_id AND last_event >= :last_event),
        :last_event
    )
ORDER BY last_event;

-- name: journal_last_event
SELECT coalesce(max(last_event), 0) FROM journal WHERE execution_id = :execution_id;
