-- Executions that are removed because they ended long ago.

-- name: executions_expired
-- Machine by machine and status by status: that is the order of an index which is there anyway.
SELECT e.id
FROM machine_arn AS a
CROSS JOIN (
    SELECT 'SUCCEEDED' AS status UNION ALL SELECT 'FAILED' UNION ALL SELECT 'TIMED_OUT' UNION ALL SELECT 'ABORTED'
) AS s
CROSS JOIN execution AS e INDEXED BY execution_by_status
WHERE e.machine = a.key AND e.status = s.status AND e.map_run IS NULL AND e.listed < :before
    AND NOT EXISTS (SELECT 1 FROM map_run AS m WHERE m.execution_id = e.id AND m.status = 'RUNNING')
LIMIT :limit;

-- name: removal_insert
-- Not if it was redriven since it was found, or another node does the same.
INSERT INTO removal (execution_id, revision)
SELECT e.id, e.revision FROM execution AS e
WHERE e.id = :id AND e.status <> 'RUNNING' AND e.listed < :before
    AND NOT EXISTS (SELECT 1 FROM map_run AS m WHERE m.execution_id = e.id AND m.status = 'RUNNING')
ON CONFLICT DO NOTHING;

-- name: removal_insert_child
INSERT INTO removal (execution_id, revision) SELECT id, revision FROM execution WHERE id = :id;

-- name: removed_last_note
INSERT INTO removed_last (shard, id) VALUES (:shard, :id)
ON CONFLICT (shard) DO UPDATE SET id = excluded.id WHERE excluded.id > removed_last.id;

-- name: removed_input_delete
DELETE FROM execution_input
WHERE execution_id = :id AND EXISTS (SELECT 1 FROM removal WHERE removal.execution_id = :id);

-- name: removed_redrives_delete
DELETE FROM redrive
WHERE execution_id = :id AND EXISTS (SELECT 1 FROM removal WHERE removal.execution_id = :id);

-- name: removed_execution_delete
DELETE FROM execution WHERE id = :id AND EXISTS (SELECT 1 FROM removal WHERE removal.execution_id = :id);

-- name: removals
-- A child may have ended before a map run of its own has: that is left to end.
SELECT r.execution_id, r.revision FROM removal AS r
WHERE NOT EXISTS (SELECT 1 FROM map_run AS m WHERE m.execution_id = r.execution_id AND m.status = 'RUNNING')
ORDER BY r.execution_id
LIMIT :limit;

-- name: removed_journal_delete
DELETE FROM journal
WHERE seq IN (SELECT j.seq FROM journal AS j WHERE j.execution_id = :execution_id LIMIT :limit);

-- name: removed_map_runs
SELECT id FROM map_run WHERE execution_id = :execution_id;

-- name: map_run_children
SELECT id FROM execution WHERE map_run = :map_run LIMIT :limit;

-- name: map_run_notes_delete
DELETE FROM map_run_note
WHERE id IN (SELECT n.id FROM map_run_note AS n WHERE n.map_run = :map_run LIMIT :limit);

-- name: map_run_delete
DELETE FROM map_run WHERE id = :map_run;

-- name: removal_delete
DELETE FROM removal WHERE execution_id = :id;

-- name: removed_revision_delete
-- If its machine is gone, and nothing else was started with it.
DELETE FROM revision
WHERE key = :revision
    AND NOT EXISTS (
        SELECT 1 FROM machine_arn AS a JOIN machine AS m ON m.arn = a.arn WHERE a.key = revision.machine
    )
    AND NOT EXISTS (SELECT 1 FROM execution AS e WHERE e.revision = :revision AND e.map_run IS NULL)
    AND NOT EXISTS (SELECT 1 FROM map_run AS r WHERE r.revision = :revision);
