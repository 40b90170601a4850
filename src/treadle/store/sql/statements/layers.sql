-- Statements of the tables of layers.

-- name: layer_next_version
INSERT INTO layer (arn, versions) VALUES (:arn, 1)
ON CONFLICT (arn) DO UPDATE SET versions = layer.versions + 1
RETURNING versions;

-- name: layer_version_insert
INSERT INTO layer_version (layer, number, settings, code, code_bytes, created)
VALUES (:layer_arn, :number, :settings, :code_sha256, :code_bytes, :created);

-- name: layer_get
SELECT layer, number, settings, code, code_bytes, created FROM layer_version
WHERE layer = :arn AND number = :number;

-- name: layer_list
SELECT DISTINCT layer FROM layer_version
WHERE layer >= :arn_prefix AND layer < :arn_end AND layer > :after
ORDER BY layer
LIMIT :limit;

-- name: layer_versions
SELECT layer, number, settings, code, code_bytes, created FROM layer_version
WHERE layer = :arn AND number < :before
ORDER BY number DESC
LIMIT :limit;

-- name: layer_code
SELECT code FROM layer_version WHERE layer = :arn AND number = :number;

-- name: layer_delete
DELETE FROM layer_version WHERE layer = :arn AND number = :number;

-- name: layer_statement_insert
INSERT INTO layer_statement (layer, number, id, statement) VALUES (:layer_arn, :number, :id, :statement);

-- name: layer_statement_delete
DELETE FROM layer_statement WHERE layer = :arn AND number = :number AND id = :id;

-- name: layer_statements
SELECT layer, number, id, statement FROM layer_statement
WHERE layer = :arn AND number = :number
ORDER BY seq;
