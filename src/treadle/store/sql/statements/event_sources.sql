-- Statements of the tables of event source mappings and function URLs.

-- name: mapping_insert
INSERT INTO event_source_mapping (arn, function_arn, source_arn, enabled, settings, tags, modified)
VALUES (:arn, :function_arn, :source_arn, :enabled, :settings, :tags, :modified);

-- name: mapping_get
SELECT arn, function_arn, source_arn, enabled, settings, tags, modified FROM event_source_mapping
WHERE arn = :arn;

-- name: mapping_replace
UPDATE event_source_mapping
SET function_arn = :function_arn, source_arn = :source_arn, enabled = :enabled, settings = :settings, tags = :tags,
    modified = :modified
WHERE arn = :arn;

-- name: mapping_delete
DELETE FROM event_source_mapping WHERE arn = :arn;

-- name: mapping_list
SELECT arn, function_arn, source_arn, enabled, settings, tags, modified FROM event_source_mapping
WHERE arn > :after AND arn >= :arn_prefix AND arn < :arn_end
    AND (function_arn = :function_arn OR :function_arn IS NULL)
    AND (source_arn = :source_arn OR :source_arn IS NULL)
ORDER BY arn
LIMIT :limit;

-- name: mapping_position_get
SELECT position FROM event_source_position WHERE mapping_arn = :arn;

-- name: mapping_position_put
INSERT INTO event_source_position (mapping_arn, position)
SELECT arn, :position FROM event_source_mapping WHERE arn = :arn
ON CONFLICT (mapping_arn) DO UPDATE SET position = excluded.position;

-- name: function_url_insert
INSERT INTO function_url (id, function_arn, qualifier, settings, created, modified)
VALUES (:id, :function_arn, :qualifier, :settings, :created, :modified);

-- name: function_url_get
SELECT id, function_arn, qualifier, settings, created, modified FROM function_url
WHERE function_arn = :function_arn AND qualifier = :qualifier;

-- name: function_url_of_id
SELECT id, function_arn, qualifier, settings, created, modified FROM function_url WHERE id = :id;

-- name: function_url_replace
UPDATE function_url SET settings = :settings, modified = :modified
WHERE function_arn = :function_arn AND qualifier = :qualifier AND id = :id;

-- name: function_url_delete
DELETE FROM function_url WHERE function_arn = :function_arn AND qualifier = :qualifier;

-- name: function_urls_delete
DELETE FROM function_url WHERE function_arn = :arn;

-- name: function_url_list
SELECT id, function_arn, qualifier, settings, created, modified FROM function_url
WHERE function_arn = :function_arn AND (qualifier > :after OR :after IS NULL)
ORDER BY qualifier
LIMIT :limit;
