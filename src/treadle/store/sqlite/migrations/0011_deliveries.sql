-- What waits to reach its target.

CREATE TABLE delivery (
    -- Never given twice: an attempt that ends late must not end another delivery.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    accepted INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    message BLOB NOT NULL
) STRICT;

CREATE INDEX delivery_due ON delivery (target, due, id);

-- With a function go the events that wait for it, or for a version or alias of it (';' follows ':').
CREATE TRIGGER delivery_without_function AFTER DELETE ON function
BEGIN
    DELETE FROM delivery
    WHERE target = old.arn OR (target > old.arn || ':' AND target < old.arn || ';');
END;
