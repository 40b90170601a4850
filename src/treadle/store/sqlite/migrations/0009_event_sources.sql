-- Event source mappings and function URLs. Both outlive a restart; neither is a part of a function's own row, because
-- functions of the functions folder may have them, too.

CREATE TABLE event_source_mapping (
    arn TEXT PRIMARY KEY,
    function_arn TEXT NOT NULL,
    source_arn TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    settings TEXT NOT NULL,
    tags TEXT NOT NULL,
    modified INTEGER NOT NULL,
    UNIQUE (function_arn, source_arn)
) STRICT, WITHOUT ROWID;

CREATE TABLE function_url (
    id TEXT PRIMARY KEY,
    function_arn TEXT NOT NULL,
    -- '' is the function itself.
    qualifier TEXT NOT NULL,
    settings TEXT NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    UNIQUE (function_arn, qualifier)
) STRICT, WITHOUT ROWID;
