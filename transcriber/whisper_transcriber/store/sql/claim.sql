-- $1 worker, $2 lease, $3 seconds of waiting that make up for any length, $4 seconds that an unknown length counts as,
-- $5 whether parts are asked for, $6 how long jobs may be that are opened, as far as is known (null: as they like).
-- One statement. Candidates are ordered without locks, then tried in that order until one can be locked: so claimers at
-- the same moment take different ones, and none waits. What was running was left by a worker that died: a failure.
WITH RECURSIVE lines AS (
    -- Each tenant and priority that has queued jobs, by single steps of the index, however many jobs there are.
    (SELECT tenant, priority FROM jobs WHERE status = 'queued' ORDER BY tenant, priority LIMIT 1)
    UNION ALL
    SELECT next.tenant, next.priority FROM lines CROSS JOIN LATERAL (
        SELECT tenant, priority FROM jobs
        WHERE status = 'queued' AND (tenant, priority) > (lines.tenant, lines.priority)
        ORDER BY tenant, priority LIMIT 1
    ) next
), queued AS (
    SELECT head.* FROM lines CROSS JOIN LATERAL (
        SELECT id, priority, tenant, coalesce(due_at, created_at) AS due FROM jobs
        WHERE status = 'queued' AND tenant = lines.tenant AND priority = lines.priority
          AND ($6::double precision IS NULL OR coalesce(audio_seconds, 0) <= $6)
        ORDER BY coalesce(due_at, created_at), id LIMIT 32
    ) head
), candidates AS (
    SELECT id, NULL::integer AS part, priority, tenant, due FROM queued
    UNION ALL
    SELECT id, NULL, priority, tenant, coalesce(due_at, created_at) FROM jobs
    WHERE status = 'running' AND coalesce(held_until, lease_until) < clock_timestamp()
      AND ($6 IS NULL OR opened OR (parts = 0 AND coalesce(audio_seconds, 0) <= $6))
    UNION ALL
    -- A long file's turn comes again some time after its last one: till then, whatever is shorter goes first.
    SELECT id, open_part.part, priority, tenant,
        greatest(created_at, turn.last) + make_interval(secs => least(coalesce(audio_seconds, $3), $3))
    FROM jobs
    CROSS JOIN LATERAL (SELECT max(claimed_at) AS last FROM parts WHERE job_id = jobs.id) turn
    CROSS JOIN LATERAL (
        SELECT part FROM parts
        WHERE job_id = jobs.id
          AND (status = 'queued' OR (status = 'running' AND lease_until < clock_timestamp()))
        ORDER BY part LIMIT 32
    ) open_part
    WHERE $5 AND status = 'running' AND parts > parts_done
), load AS (
    -- Seconds of audio that each tenant has in workers' hands.
    SELECT tenant, sum(seconds) AS seconds FROM (
        SELECT tenant, greatest(coalesce(audio_seconds, $4) - processed_seconds, 0) AS seconds FROM jobs
        WHERE status = 'running' AND parts = 0
        UNION ALL
        SELECT tenant, end_seconds - start_seconds - parts.processed_seconds
        FROM parts JOIN jobs ON jobs.id = job_id
        WHERE parts.status = 'running' AND jobs.status = 'running'
    ) held GROUP BY tenant
), next AS MATERIALIZED (
    SELECT candidate.id, candidate.part FROM (
        SELECT candidates.* FROM candidates LEFT JOIN load USING (tenant)
        ORDER BY priority DESC, coalesce(load.seconds, 0), due, id, part NULLS FIRST
    ) candidate
    LEFT JOIN LATERAL (
        SELECT true AS locked FROM jobs
        WHERE candidate.part IS NULL AND id = candidate.id AND (
            status = 'queued' OR (status = 'running' AND coalesce(held_until, lease_until) < clock_timestamp())
        )
        FOR NO KEY UPDATE SKIP LOCKED
    ) job ON true
    LEFT JOIN LATERAL (
        SELECT true AS locked FROM parts
        WHERE job_id = candidate.id AND part = candidate.part AND (
            status = 'queued' OR (status = 'running' AND lease_until < clock_timestamp())
        )
        FOR NO KEY UPDATE SKIP LOCKED
    ) part ON true
    WHERE job.locked OR part.locked
    LIMIT 1
), taken AS (
    UPDATE jobs SET
        status = 'running',
        attempt = attempt + 1,
        failures = failures + (status = 'running' AND coalesce(held_until, lease_until) > '-infinity')::integer,
        worker = $1,
        lease_until = CASE WHEN parts = 0 THEN clock_timestamp() + $2::interval END,
        held_until = CASE WHEN parts > 0 THEN clock_timestamp() + $2::interval END,
        started_at = coalesce(started_at, clock_timestamp())
    FROM next WHERE next.part IS NULL AND jobs.id = next.id
    RETURNING jobs.*
), taken_part AS (
    UPDATE parts SET
        status = 'running',
        attempt = attempt + 1,
        failures = failures + (status = 'running')::integer,
        worker = $1,
        lease_until = clock_timestamp() + $2::interval,
        claimed_at = clock_timestamp()
    FROM next WHERE parts.job_id = next.id AND parts.part = next.part
    RETURNING parts.*
)
SELECT taken.*, attempt AS claim_attempt, failures AS claim_failures,
    NULL::integer AS part, NULL::double precision AS start_seconds, NULL::double precision AS end_seconds
FROM taken
UNION ALL
SELECT jobs.*, taken_part.attempt, taken_part.failures, part, start_seconds, end_seconds
FROM taken_part JOIN jobs ON jobs.id = job_id
