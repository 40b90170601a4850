-- Layers; the archives that versions of functions have beside their own; and configurations beside the settings.

CREATE TABLE layer (
    arn TEXT PRIMARY KEY,
    -- The highest number that a version of it ever had.
    versions INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE layer_version (
    layer TEXT NOT NULL REFERENCES layer (arn),
    number INTEGER NOT NULL,
    settings TEXT NOT NULL,
    code TEXT NOT NULL REFERENCES function_code (sha256),
    code_bytes INTEGER NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (layer, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX layer_version_of_code ON layer_version (code);

CREATE TABLE layer_statement (
    seq INTEGER PRIMARY KEY,
    layer TEXT NOT NULL,
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    statement TEXT NOT NULL,
    UNIQUE (layer, number, id),
    FOREIGN KEY (layer, number) REFERENCES layer_version (layer, number) ON DELETE CASCADE
) STRICT;

-- An index ends with the row's own number, and so with the order in which statements were added.
CREATE INDEX layer_statement_in_order ON layer_statement (layer, number);

-- The layers of a version of a function, in their order.
CREATE TABLE function_layer (
    function TEXT NOT NULL,
    number INTEGER NOT NULL,
    place INTEGER NOT NULL,
    code TEXT NOT NULL REFERENCES function_code (sha256),
    PRIMARY KEY (function, number, place),
    FOREIGN KEY (function, number) REFERENCES function_version (function, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX function_layer_of_code ON function_layer (code);

CREATE TABLE function_config (
    function TEXT NOT NULL REFERENCES function (arn) ON DELETE CASCADE,
    -- '' is the function itself; else a version or an alias.
    qualifier TEXT NOT NULL,
    kind TEXT NOT NULL,
    config TEXT NOT NULL,
    PRIMARY KEY (function, qualifier, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX function_config_by_kind ON function_config (kind, function, qualifier);
