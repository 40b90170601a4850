-- Statements of the tables of functions. Number 0 is the latest version.

-- name: function_insert
INSERT INTO function (arn) VALUES (:arn);

-- name: function_next_version
UPDATE function SET versions = versions + 1 WHERE arn = :arn RETURNING versions;

-- name: function_delete
DELETE FROM function WHERE arn = :arn;

-- name: function_code_insert
INSERT INTO function_code (sha256, archive) VALUES (:sha256, :archive) ON CONFLICT DO NOTHING;

-- name: function_code_delete_unused
DELETE FROM function_code
WHERE sha256 = :sha256
    AND NOT EXISTS (SELECT 1 FROM function_version WHERE code = :sha256)
    AND NOT EXISTS (SELECT 1 FROM function_layer WHERE code = :sha256)
    AND NOT EXISTS (SELECT 1 FROM layer_version WHERE code = :sha256);

-- name: function_codes
SELECT code FROM function_version WHERE function = :arn
UNION SELECT code FROM function_layer WHERE function = :arn;

-- name: function_has_code
SELECT 1 FROM function_code WHERE sha256 = :sha256;

-- name: function_code
SELECT archive FROM function_code WHERE sha256 = :sha256;

-- name: function_version_insert
INSERT INTO function_version (function, number, revision_id, settings, code, code_bytes, modified)
VALUES (:function_arn, :number, :revision_id, :settings, :code_sha256, :code_bytes, :modified);

-- name: function_layer_insert
INSERT INTO function_layer (function, number, place, code) VALUES (:function_arn, :number, :place, :code);

-- name: function_layers_delete
DELETE FROM function_layer WHERE function = :function_arn AND number = :number;

-- name: function_latest_replace
UPDATE function_version
SET revision_id = :revision_id, settings = :settings, code = :code_sha256, code_bytes = :code_bytes,
    modified = :modified
WHERE function = :function_arn AND number = 0 AND revision_id = :replaces;

-- name: function_latest_is
SELECT 1 FROM function_version WHERE function = :arn AND number = 0 AND revision_id = :revision_id;

-- name: function_get
SELECT function, number, revision_id, settings, code, code_bytes, modified, (
    SELECT group_concat(layer.code, ' ') FROM (
        SELECT code FROM function_layer
        WHERE function_layer.function = version.function AND function_layer.number = version.number
        ORDER BY place
    ) AS layer
) FROM function_version AS version
WHERE function = :arn AND number = :number;

-- name: function_list
SELECT function, number, revision_id, settings, code, code_bytes, modified, (
    SELECT group_concat(layer.code, ' ') FROM (
        SELECT code FROM function_layer
        WHERE function_layer.function = version.function AND function_layer.number = version.number
        ORDER BY place
    ) AS layer
) FROM function_version AS version
WHERE (function, number) > (:after_arn, :after_number)
    AND function >= :arn_prefix AND function < :arn_end
    AND (:every_version OR number = 0)
ORDER BY function, number
LIMIT :limit;

-- name: function_versions
SELECT function, number, revision_id, settings, code, code_bytes, modified, (
    SELECT group_concat(layer.code, ' ') FROM (
        SELECT code FROM function_layer
        WHERE function_layer.function = version.function AND function_layer.number = version.number
        ORDER BY place
    ) AS layer
) FROM function_version AS version
WHERE function = :arn AND number > :after
ORDER BY number
LIMIT :limit;

-- name: function_totals
SELECT count(*) FILTER (WHERE number = 0), coalesce(sum(code_bytes), 0) FROM function_version
WHERE function >= :arn_prefix AND function < :arn_end;

-- name: function_version_delete
DELETE FROM function_version WHERE function = :arn AND number = :number;


-- name: function_alias_insert
INSERT INTO function_alias (
    function, name, description, version, revision_id, additional_version, additional_weight
)
VALUES (:function_arn, :name, :description, :version, :revision_id, :additional_version, :additional_weight);

-- name: function_alias_get
SELECT function, name, description, version, revision_id, additional_version, additional_weight
FROM function_alias WHERE function = :arn AND name = :name;

-- name: function_alias_replace
UPDATE function_alias
SET description = :description, version = :version, revision_id = :revision_id,
    additional_version = :additional_version, additional_weight = :additional_weight
WHERE function = :function_arn AND name = :name AND revision_id = :replaces;

-- name: function_alias_delete
DELETE FROM function_alias WHERE function = :arn AND name = :name;

-- name: function_aliases_delete
DELETE FROM function_alias WHERE function = :arn;

-- name: function_alias_list
SELECT function, name, description, version, revision_id, additional_version, additional_weight
FROM function_alias
WHERE function = :arn AND name > :after
    AND (version = :version OR additional_version = :version OR :version IS NULL)
ORDER BY name
LIMIT :limit;


-- name: function_tags
SELECT key, value FROM function_tag WHERE function = :arn ORDER BY key;

-- name: function_tag_set
INSERT INTO function_tag (function, key, value) VALUES (:arn, :key, :value)
ON CONFLICT (function, key) DO UPDATE SET value = excluded.value;

-- name: function_tag_delete
DELETE FROM function_tag WHERE function = :arn AND key = :key;

-- name: function_concurrency
SELECT arn, concurrency FROM function
WHERE concurrency IS NOT NULL AND arn >= :arn_prefix AND arn < :arn_end
ORDER BY arn;

-- name: function_set_concurrency
UPDATE function SET concurrency = :reserved WHERE arn = :arn;

-- name: function_config_set
INSERT INTO function_config (function, qualifier, kind, config)
VALUES (:function_arn, :qualifier, :kind, :config)
ON CONFLICT (function, qualifier, kind) DO UPDATE SET config = excluded.config;

-- name: function_config_delete
DELETE FROM function_config WHERE function = :arn AND qualifier = :qualifier AND kind = :kind;

-- name: function_configs_delete
DELETE FROM function_config WHERE function = :arn AND qualifier = :qualifier;

-- name: function_configs
SELECT function, qualifier, kind, config FROM function_config
WHERE kind = :kind AND function >= :arn_prefix AND function < :arn_end
ORDER BY function, qualifier;

-- name: function_statement_insert
INSERT INTO function_statement (function, qualifier, id, statement)
VALUES (:function_arn, :qualifier, :id, :statement);

-- name: function_statement_delete
DELETE FROM function_statement WHERE function = :arn AND qualifier = :qualifier AND id = :id;

-- name: function_statements
SELECT function, qualifier, id, statement FROM function_statement
WHERE function = :arn AND qualifier = :qualifier
ORDER BY seq;
