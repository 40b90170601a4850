-- Statements of the tables of activities.

-- name: activity_insert
INSERT INTO activity (arn, name, encryption, created) VALUES (:arn, :name, :encryption, :created);

-- name: activity_get
SELECT arn, name, encryption, created FROM activity WHERE arn = :arn;

-- name: activity_delete
DELETE FROM activity WHERE arn = :arn;

-- name: activity_list
SELECT arn, name, encryption, created FROM activity
WHERE arn > :after AND arn >= :arn_prefix AND arn < :arn_end
ORDER BY arn
LIMIT :limit;

-- name: activity_count
SELECT count(*) FROM activity WHERE arn >= :arn_prefix AND arn < :arn_end;

-- name: activity_arns
SELECT arn FROM activity;

-- name: activity_tags
SELECT key, value FROM activity_tag WHERE arn = :arn ORDER BY key;

-- name: activity_tag_set
INSERT INTO activity_tag (arn, key, value) VALUES (:arn, :key, :value)
ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value;

-- name: activity_tag_delete
DELETE FROM activity_tag WHERE arn = :arn AND key = :key;
