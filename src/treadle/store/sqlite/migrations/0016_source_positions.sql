-- Where event source mappings stand in their streams. It changes with every batch, the mapping only when somebody asks.

CREATE TABLE event_source_position (
    mapping_arn TEXT PRIMARY KEY REFERENCES event_source_mapping (arn) ON DELETE CASCADE,
    position TEXT NOT NULL
) STRICT, WITHOUT ROWID;
