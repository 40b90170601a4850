-- Jobs of EMR, ECS, Batch, Glue, CodeBuild and others, and what they run on: clusters, steps, tasks, runs, builds.

CREATE TABLE job_record (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    parent TEXT NOT NULL,
    open INTEGER NOT NULL,
    content TEXT NOT NULL,
    token TEXT
) STRICT;

CREATE INDEX job_record_listed ON job_record (kind, parent, number);
CREATE INDEX job_record_open ON job_record (kind, number) WHERE open = 1;
CREATE INDEX job_record_of_token ON job_record (token, kind) WHERE token IS NOT NULL;
