-- $1 job, $2 attempt, $3 lease, $4 indices, $5 results (JSON), $6 seconds of audio behind us
-- One statement: a stale attempt writes nothing at all. A window recorded twice is counted as repeated.
WITH given AS (
    SELECT * FROM unnest($4::integer[], $5::text[]) AS w (index, result)
), again AS (
    SELECT count(*)::integer AS n FROM windows JOIN given USING (index) WHERE job_id = $1 AND part = 0
), held AS (
    UPDATE jobs SET
        lease_until = clock_timestamp() + $3::interval,
        failures = 0,
        windows_done = windows_done + cardinality($4::integer[]) - again.n,
        windows_repeated = windows_repeated + again.n,
        processed_seconds = greatest(processed_seconds, $6)
    FROM again
    WHERE id = $1 AND attempt = $2 AND status = 'running' AND parts = 0
    RETURNING jobs.*
), saved AS (
    INSERT INTO windows (job_id, index, attempt, result)
    SELECT held.id, given.index, held.attempt, given.result::jsonb FROM held, given
    ON CONFLICT (job_id, part, index)
    DO UPDATE SET attempt = excluded.attempt, result = excluded.result, done_at = excluded.done_at
)
SELECT * FROM held
