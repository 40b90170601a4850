-- What has to be known to read the items of a map run again: which version of an object, which objects were listed.

CREATE TABLE map_run_note (
    id INTEGER PRIMARY KEY,
    map_run INTEGER NOT NULL REFERENCES map_run (id),
    note BLOB NOT NULL
) STRICT;

CREATE INDEX map_run_note_of_run ON map_run_note (map_run, id);
