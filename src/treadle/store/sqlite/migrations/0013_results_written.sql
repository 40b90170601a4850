-- Whether the results of its children have been written by its ResultWriter.

ALTER TABLE map_run ADD COLUMN results_written INTEGER NOT NULL DEFAULT 0;
