-- $1 job, $2 attempt, $3 part, $4 worker, $5 lease
-- The job's row is locked first, as everywhere: it counts its parts, so of any number of workers one sees the last one done.
WITH job AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = $1 AND status = 'running' FOR NO KEY UPDATE
), before AS MATERIALIZED (
    SELECT parts.* FROM parts JOIN job ON job.id = job_id
    WHERE part = $3 AND attempt = $2 AND status = 'running'
    FOR NO KEY UPDATE OF parts
), done AS (
    UPDATE parts SET
        status = 'done', worker = NULL, lease_until = NULL, failures = 0,
        processed_seconds = before.end_seconds - before.start_seconds
    FROM before WHERE parts.job_id = before.job_id AND parts.part = before.part
    RETURNING parts.job_id, parts.processed_seconds - before.processed_seconds AS seconds
)
UPDATE jobs SET
    parts_done = parts_done + 1,
    processed_seconds = processed_seconds + done.seconds,
    attempt = CASE WHEN opened AND parts_done + 1 = parts THEN attempt + 1 ELSE attempt END,
    worker = CASE WHEN opened AND parts_done + 1 = parts THEN $4 ELSE worker END,
    held_until = CASE WHEN opened AND parts_done + 1 = parts THEN clock_timestamp() + $5::interval ELSE held_until END
FROM done WHERE jobs.id = done.job_id
RETURNING jobs.*
