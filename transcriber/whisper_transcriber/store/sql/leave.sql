-- $1 job
-- The last one who leaves a job that has not ended parks it. The attempts that are at it are over: their writes are refused.
WITH leaving AS MATERIALIZED (
    SELECT id AS job, waiters <= 1 AND status IN ('queued', 'running') AS parks FROM jobs WHERE id = $1 FOR NO KEY UPDATE
), parts_freed AS (
    UPDATE parts SET status = 'queued', attempt = attempt + 1, worker = NULL, lease_until = NULL
    FROM leaving WHERE parks AND job_id = job AND status = 'running'
)
UPDATE jobs SET
    waiters = greatest(waiters - 1, 0),
    status = CASE WHEN parks THEN 'parked' ELSE status END,
    attempt = attempt + parks::integer,
    worker = CASE WHEN NOT parks THEN worker END,
    lease_until = CASE WHEN NOT parks THEN lease_until END,
    held_until = CASE WHEN parks AND held_until IS NOT NULL THEN '-infinity' ELSE held_until END,
    finished_at = CASE WHEN parks THEN clock_timestamp() ELSE finished_at END
FROM leaving WHERE id = job
RETURNING waiters
