-- Executions that are created RUNNING are counted by whoever creates them, once for a batch.
DROP TRIGGER execution_created;
