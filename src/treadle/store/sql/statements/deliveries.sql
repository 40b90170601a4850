-- name: delivery_insert
INSERT INTO delivery (target, accepted, due, attempts, message)
VALUES (:target, :accepted, :due, :attempts, :message);

-- name: deliveries_due
SELECT id FROM delivery WHERE target = :target AND due <= :until ORDER BY due, id LIMIT :limit;

-- name: delivery_next
SELECT due FROM delivery WHERE target = :target AND due > :after ORDER BY due LIMIT 1;

-- name: delivery_get
SELECT id, target, message, accepted, due, attempts FROM delivery WHERE id = :id;

-- name: delivery_postpone
UPDATE delivery SET due = :due, attempts = attempts + 1 WHERE id = :id;

-- name: delivery_delete
DELETE FROM delivery WHERE id = :id;

-- name: delivery_targets
-- From each target a look-up of the next one: as many steps as there are targets, however much waits for them.
WITH RECURSIVE found (target) AS (
    SELECT min(target) FROM delivery
    UNION ALL
    SELECT (SELECT min(target) FROM delivery WHERE target > found.target) FROM found WHERE found.target IS NOT NULL
)
SELECT target FROM found WHERE target IS NOT NULL;

-- name: delivery_count
SELECT count(*) FROM delivery;
