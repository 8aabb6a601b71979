-- $1 worker, $2 lease. A running job whose lease ran out was left by a worker that died: that counts as a failure.
WITH next AS MATERIALIZED (
    SELECT id, status FROM jobs
    WHERE status = 'queued' OR (status = 'running' AND lease_until < clock_timestamp())
    ORDER BY priority DESC, created_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET
    status = 'running',
    attempt = attempt + 1,
    failures = failures + (next.status = 'running')::integer,
    worker = $1,
    lease_until = clock_timestamp() + $2::interval,
    started_at = coalesce(started_at, clock_timestamp())
FROM next WHERE jobs.id = next.id
RETURNING jobs.*
