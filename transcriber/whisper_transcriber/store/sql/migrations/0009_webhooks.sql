-- Whom a job tells of its end, and the deliveries of that. Only additions.
ALTER TABLE jobs ADD COLUMN webhook jsonb;

-- A tenant's secrets follow from the service's own and a number: the secrets themselves are not here. `webhooks` counts its
-- endpoints.
ALTER TABLE tenants
    ADD COLUMN webhooks               integer NOT NULL DEFAULT 0,
    ADD COLUMN webhook_generation     integer NOT NULL DEFAULT 0,
    ADD COLUMN webhook_previous_until timestamptz;

-- Webhooks of all jobs of a tenant, but those that a request waits for.
CREATE TABLE endpoints (
    id          uuid PRIMARY KEY,
    tenant      text NOT NULL,
    url         text NOT NULL,
    events      text[] NOT NULL,
    transcript  boolean NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at timestamptz
);
CREATE INDEX endpoints_of_tenant ON endpoints (tenant);

-- `next_at` is when it is tried next (null: never again), `lease_until` how long whoever tries it now may take; then both
-- are the same. `fence` counts leases, `attempts` the tries since it was asked for, `log` has the last of all tries.
CREATE TABLE deliveries (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    job_id      uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    endpoint    uuid REFERENCES endpoints ON DELETE CASCADE,
    tenant      text NOT NULL,
    url         text NOT NULL,
    host        text NOT NULL,
    type        text NOT NULL,
    data        jsonb NOT NULL,
    transcript  boolean NOT NULL,
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts    integer NOT NULL DEFAULT 0,
    fence       integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_at     timestamptz DEFAULT clock_timestamp(),
    lease_until timestamptz,
    log         jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX deliveries_of_job ON deliveries (job_id, created_at);
CREATE INDEX deliveries_pending ON deliveries (tenant, host, next_at) WHERE status = 'pending';
CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint) WHERE endpoint IS NOT NULL;
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE lease_until IS NOT NULL;

-- A trigger, so that deliveries are made whoever ends the job, and in the same transaction.
CREATE FUNCTION announce_end() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    event text := 'transcription.job.' || CASE new.status WHEN 'succeeded' THEN 'completed' ELSE new.status END;
BEGIN
    INSERT INTO deliveries (job_id, endpoint, tenant, url, host, type, transcript, data)
    SELECT
        new.id, hook.endpoint, new.tenant, hook.url, substring(hook.url FROM '^[^:]+://([^/?#]*)'), event, hook.transcript,
        jsonb_build_object(
            'id', new.id, 'status', new.status, 'model', new.model,
            'language', coalesce(new.language, new.options ->> 'language'), 'audio_seconds', new.audio_seconds,
            'metadata', new.metadata,
            'error', CASE WHEN new.error_code IS NOT NULL THEN
                jsonb_build_object('code', new.error_code, 'message', coalesce(new.error_message, '')) END,
            'created_at', floor(extract(epoch FROM new.created_at))::bigint,
            'finished_at', floor(extract(epoch FROM new.finished_at))::bigint)
    FROM (
        SELECT NULL::uuid AS endpoint, new.webhook ->> 'url' AS url, (new.webhook -> 'transcript')::boolean AS transcript
        WHERE new.webhook -> 'events' ? event
        UNION ALL
        -- Locked, so that none is told that is removed meanwhile.
        SELECT * FROM (
            SELECT id, url, transcript FROM endpoints
            WHERE tenant = new.tenant AND disabled_at IS NULL AND event = ANY (events) AND NOT new.synchronous
            FOR KEY SHARE
        ) theirs
    ) hook;
    RETURN NULL;
END
$$;
CREATE TRIGGER jobs_announce_end AFTER UPDATE OF status ON jobs FOR EACH ROW
    WHEN (old.status <> new.status AND new.status IN ('succeeded', 'failed', 'cancelled')
        AND (new.webhook IS NOT NULL OR NOT new.synchronous))
    EXECUTE FUNCTION announce_end();
CREATE TRIGGER jobs_announce_taken_over AFTER INSERT ON jobs FOR EACH ROW
    WHEN (new.status = 'succeeded')
    EXECUTE FUNCTION announce_end();
