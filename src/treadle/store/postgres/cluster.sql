-- What nodes say to each other, and who holds what. Locks with the first key 1 are those of shards, with 2 of nodes.

-- name: node_enter
SELECT pg_try_advisory_lock(2, CAST(:node AS int));

-- name: node_withdraw
SELECT pg_advisory_unlock(2, CAST(:node AS int));

-- name: nodes
-- Who holds what: the kind of the lock, its number, and whose session it is.
SELECT l.classid::bigint, l.objid::bigint, l.pid::bigint
FROM pg_locks AS l
WHERE l.locktype = 'advisory' AND l.classid IN (1, 2) AND l.objsubid = 2 AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: tell
SELECT pg_notify('treadle', :notice);

-- name: request_insert
INSERT INTO request (id, shard, content) VALUES (:id, :shard, :content);

-- name: request_answer
UPDATE request SET answer = :answer, answered = :answered WHERE id = :id AND answer IS NULL;

-- name: request_delete
DELETE FROM request WHERE id = :id;

-- name: requests_delete_answered
DELETE FROM request WHERE answer IS NOT NULL AND answered < :before;

-- name: requests_open
SELECT id, shard, content FROM request
WHERE shard = ANY(:shards) AND answer IS NULL AND (CAST(:id AS bigint) IS NULL OR id = :id)
ORDER BY seq;

-- name: requests_known
SELECT id, answer FROM request WHERE id = ANY(:ids);

-- name: session
SELECT pg_backend_pid()::bigint;
