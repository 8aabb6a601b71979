-- Where a job's result is written besides. It is delivered as an event is, to a URL that begins with s3://: a worker of the
-- version before tries that in vain, and one of this version after it. Only additions.
ALTER TABLE jobs ADD COLUMN output jsonb;

CREATE OR REPLACE FUNCTION announce_end() RETURNS trigger LANGUAGE plpgsql AS $$
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
        SELECT NULL, new.output ->> 'url', false WHERE new.output IS NOT NULL AND new.status = 'succeeded'
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
