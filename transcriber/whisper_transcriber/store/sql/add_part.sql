-- $1 job, $2 attempt, $3 part, $4 start, $5 end (seconds), $6 lease
-- From the first part on, nobody but a worker that knows of parts may claim the job: no `lease_until`.
WITH held AS (
    UPDATE jobs SET
        parts = greatest(parts, $3 + 1),
        failures = 0,
        lease_until = NULL,
        held_until = clock_timestamp() + $6::interval
    WHERE id = $1 AND attempt = $2 AND status = 'running' AND NOT opened
    RETURNING *
), added AS (
    INSERT INTO parts (job_id, part, start_seconds, end_seconds) SELECT id, $3, $4, $5 FROM held
    ON CONFLICT (job_id, part) DO NOTHING
)
SELECT * FROM held
