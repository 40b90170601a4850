-- Several nodes on one database: what they ask each other, and how each learns what the others have changed.

CREATE TABLE request (
    id bigint PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    shard bigint NOT NULL,
    content bytea NOT NULL,
    answer bytea,
    answered bigint
);

CREATE INDEX request_open ON request (shard, seq) WHERE answer IS NULL;
CREATE INDEX request_answered ON request (answered) WHERE answer IS NOT NULL;

-- Tells of a changed row: what it is about, and the column that says which one.
CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    PERFORM pg_notify('treadle', json_build_array(TG_ARGV[0], changed ->> TG_ARGV[1], 0)::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON machine
    FOR EACH ROW EXECUTE FUNCTION tell_change('machine', 'arn');
CREATE TRIGGER tell_change AFTER DELETE ON version
    FOR EACH ROW EXECUTE FUNCTION tell_change('machine', 'machine');
CREATE TRIGGER tell_change AFTER UPDATE OR DELETE ON alias
    FOR EACH ROW EXECUTE FUNCTION tell_change('machine', 'machine');
CREATE TRIGGER tell_change AFTER INSERT OR DELETE ON activity
    FOR EACH ROW EXECUTE FUNCTION tell_change('activity', 'arn');
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON access_key
    FOR EACH ROW EXECUTE FUNCTION tell_change('access_key', 'id');
CREATE TRIGGER tell_change AFTER UPDATE OR DELETE ON function
    FOR EACH ROW EXECUTE FUNCTION tell_change('function', 'arn');
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON function_version
    FOR EACH ROW EXECUTE FUNCTION tell_change('function', 'function');
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON function_alias
    FOR EACH ROW EXECUTE FUNCTION tell_change('function', 'function');
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON function_config
    FOR EACH ROW EXECUTE FUNCTION tell_change('function', 'function');
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON event_source_mapping
    FOR EACH ROW EXECUTE FUNCTION tell_change('event_source', 'arn');
CREATE TRIGGER tell_change
    AFTER UPDATE OF concurrency, tolerated_count, tolerated_percentage ON map_run
    FOR EACH ROW
    WHEN (
        (OLD.concurrency, OLD.tolerated_count, OLD.tolerated_percentage)
        IS DISTINCT FROM (NEW.concurrency, NEW.tolerated_count, NEW.tolerated_percentage)
    )
    EXECUTE FUNCTION tell_change('map_run', 'arn');
