-- $1 tenant, $2 idempotency key
-- What was parked goes on where it stopped. One that failed is nobody's any more: the next request tries it anew.
WITH unnamed AS (
    UPDATE jobs SET idempotency_key = NULL
    WHERE tenant = $1 AND idempotency_key = $2 AND status IN ('failed', 'cancelled')
)
UPDATE jobs SET
    waiters = waiters + 1,
    status = CASE WHEN status <> 'parked' THEN status WHEN parts > 0 THEN 'running' ELSE 'queued' END,
    finished_at = CASE WHEN status <> 'parked' THEN finished_at END
WHERE tenant = $1 AND idempotency_key = $2 AND status NOT IN ('failed', 'cancelled')
RETURNING *
