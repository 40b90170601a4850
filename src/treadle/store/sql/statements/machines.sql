-- State machines: revisions, versions, aliases and tags.

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
-- Of a machine that is gone: the revisions that no execution was started with. `OFFSET 0`: looked up for each revision,
-- rather than joined, which PostgreSQL might do the other way round.
DELETE FROM revision
WHERE machine = (SELECT key FROM machine_arn WHERE arn = :arn)
    AND NOT EXISTS (
        SELECT 1 FROM execution WHERE execution.revision = revision.key AND map_run IS NULL LIMIT 1 OFFSET 0
    )
    AND NOT EXISTS (SELECT 1 FROM map_run WHERE map_run.revision = revision.key LIMIT 1 OFFSET 0);

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
WHERE m.arn > :after AND m.arn >= :arn_prefix AND m.arn < :arn_end
ORDER BY m.arn
LIMIT :limit;

-- name: machine_count
SELECT count(*) FROM machine WHERE arn >= :arn_prefix AND arn < :arn_end;

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
            EXISTS (
                SELECT 1 FROM alias_route AS t
                WHERE t.machine = :machine_arn AND t.version = :version AND t.alias = alias.name
            )
            OR :version IS NULL
        )
    ORDER BY name
    LIMIT :limit
) AS a JOIN alias_route AS r ON r.machine = a.machine AND r.alias = a.name
ORDER BY a.name, r.position;

-- name: alias_count
SELECT count(*) FROM alias WHERE machine = :machine_arn;
