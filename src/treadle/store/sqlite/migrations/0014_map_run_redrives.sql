-- How often a map run was redriven, and when last.

ALTER TABLE map_run ADD COLUMN redrives INTEGER NOT NULL DEFAULT 0;
ALTER TABLE map_run ADD COLUMN redriven INTEGER;
