-- $1 id, $2 tenant, $3 idempotency key, $4 fingerprint, $5 priority, $6 model, $7 options, $8 url, $9 sha256,
-- $10 whether a request waits for it, $11 metadata, $12 API key, $13 the job whose result it takes over,
-- $14 webhook, $15 traceparent, $16 output, $17 seconds later that it is due than one of no length
-- If that one is gone meanwhile, this is a job like any other.
WITH before AS (
    SELECT * FROM (VALUES (1)) one LEFT JOIN jobs ON jobs.id = $13 AND jobs.tenant = $2 AND jobs.status = 'succeeded'
), made AS (
    INSERT INTO jobs
        (id, tenant, idempotency_key, fingerprint, priority, model, options, source_url, sha256, synchronous, metadata,
        api_key, reused_from, status, finished_at, language, audio_seconds, processed_seconds, model_digest, engine,
        windows_done, windows_total, webhook, traceparent, output, due_at)
    SELECT $1, $2, $3, $4, $5, $6, ($7::text)::jsonb, $8, $9, $10, ($11::text)::jsonb, $12, before.id,
        CASE WHEN before.id IS NULL THEN 'queued' ELSE 'succeeded' END,
        CASE WHEN before.id IS NOT NULL THEN clock_timestamp() END,
        before.language, before.audio_seconds, coalesce(before.processed_seconds, 0), before.model_digest,
        before.engine, coalesce(before.windows_done, 0), before.windows_total, ($14::text)::jsonb, $15,
        ($16::text)::jsonb, clock_timestamp() + make_interval(secs => $17)
    FROM before
    ON CONFLICT (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING *
), uploaded AS (
    DELETE FROM uploads USING made WHERE uploads.id = made.id
)
SELECT * FROM made
