-- Records of jobs. Columns stand in the order of the contract's fields.

-- name: job_record_insert
INSERT INTO job_record (id, kind, parent, open, content, token)
VALUES (:id, :kind, :parent, :open, :content, :token);

-- name: job_record_update
UPDATE job_record SET open = :open, content = :content WHERE id = :id;

-- name: job_record_get
SELECT id, kind, parent, number, open, content, token FROM job_record WHERE id = :id;

-- name: job_records_list
SELECT id, kind, parent, number, open, content, token
FROM job_record
WHERE kind = :kind AND parent = :parent AND number < :before
ORDER BY number DESC
LIMIT :limit;

-- name: job_records_open
SELECT id, kind, parent, number, open, content, token
FROM job_record
WHERE open = 1 AND kind = :kind
ORDER BY number;

-- name: job_records_of_token
SELECT id, kind, parent, number, open, content, token
FROM job_record
WHERE token = :token AND kind = :kind
ORDER BY number;
