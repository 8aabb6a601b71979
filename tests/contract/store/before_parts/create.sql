-- $1 id, $2 tenant, $3 idempotency key, $4 fingerprint, $5 priority, $6 model, $7 options, $8 url, $9 sha256,
-- $10 whether a request waits for it
WITH made AS (
    INSERT INTO jobs
        (id, tenant, idempotency_key, fingerprint, priority, model, options, source_url, sha256, synchronous)
    VALUES ($1, $2, $3, $4, $5, $6, ($7::text)::jsonb, $8, $9, $10)
    ON CONFLICT (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING *
), uploaded AS (
    DELETE FROM uploads USING made WHERE uploads.id = made.id
)
SELECT * FROM made
