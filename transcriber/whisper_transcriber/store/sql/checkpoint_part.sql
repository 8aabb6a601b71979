-- $1 job, $2 attempt, $3 part, $4 lease, $5 indices, $6 results (JSON), $7 end of the last one (seconds of the file)
-- One statement: a stale attempt writes nothing at all. A window recorded twice is counted as repeated.
WITH given AS (
    SELECT * FROM unnest($5::integer[], $6::text[]) AS w (index, result)
), again AS (
    SELECT count(*)::integer AS n FROM windows JOIN given USING (index) WHERE job_id = $1 AND part = $3
), job AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = $1 AND status = 'running' FOR NO KEY UPDATE
), before AS MATERIALIZED (
    SELECT parts.* FROM parts JOIN job ON job.id = job_id
    WHERE part = $3 AND attempt = $2 AND status = 'running'
    FOR NO KEY UPDATE OF parts
), held AS (
    UPDATE parts SET
        lease_until = clock_timestamp() + $4::interval,
        failures = 0,
        processed_seconds = greatest(before.processed_seconds, $7 - before.start_seconds)
    FROM before WHERE parts.job_id = before.job_id AND parts.part = before.part
    RETURNING parts.job_id, parts.part, parts.attempt, parts.processed_seconds - before.processed_seconds AS seconds
), saved AS (
    INSERT INTO windows (job_id, part, index, attempt, result)
    SELECT held.job_id, held.part, given.index, held.attempt, given.result::jsonb FROM held, given
    ON CONFLICT (job_id, part, index)
    DO UPDATE SET attempt = excluded.attempt, result = excluded.result, done_at = excluded.done_at
)
UPDATE jobs SET
    windows_done = windows_done + cardinality($5::integer[]) - again.n,
    windows_repeated = windows_repeated + again.n,
    processed_seconds = processed_seconds + held.seconds
FROM held, again WHERE jobs.id = held.job_id
RETURNING jobs.*
