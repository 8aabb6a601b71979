-- What is left of a running job is either in parts that nobody holds, or in somebody's hands.
WITH split AS (
    SELECT job_id, max(end_seconds) AS recorded, count(*) FILTER (WHERE open) AS n,
        sum(end_seconds - start_seconds - processed_seconds) FILTER (WHERE open) AS seconds
    FROM (
        SELECT parts.*,
            parts.status = 'queued' OR (parts.status = 'running' AND parts.lease_until < clock_timestamp()) AS open
        FROM parts JOIN jobs ON jobs.id = job_id WHERE jobs.status = 'running'
    ) part
    GROUP BY job_id
), held AS (
    SELECT count(*) AS n FROM parts JOIN jobs ON jobs.id = job_id
    WHERE jobs.status = 'running' AND parts.status = 'running' AND parts.lease_until >= clock_timestamp()
), current AS (
    SELECT
        jobs.status, created_at, audio_seconds IS NULL AS unknown,
        greatest(coalesce(audio_seconds, split.recorded, 0) - processed_seconds, 0) AS remaining,
        coalesce(split.n, 0) AS parts, coalesce(split.seconds, 0) AS parts_seconds,
        jobs.status = 'queued' OR coalesce(held_until, lease_until) < clock_timestamp() AS claimable,
        jobs.status = 'running' AND coalesce(held_until, lease_until) >= clock_timestamp() AS claimed
    FROM jobs LEFT JOIN split ON split.job_id = jobs.id
    WHERE jobs.status IN ('queued', 'running')
)
SELECT
    count(*) FILTER (WHERE status = 'queued') AS queued,
    count(*) FILTER (WHERE status = 'running') AS running,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE status = 'queued')), 0) AS oldest,
    coalesce(sum(CASE WHEN claimable THEN greatest(remaining, parts_seconds) ELSE parts_seconds END), 0) AS backlog,
    coalesce(sum(CASE WHEN claimable THEN 0 ELSE greatest(remaining - parts_seconds, 0) END), 0) AS in_flight,
    count(*) FILTER (WHERE status = 'queued' AND unknown) AS unopened,
    coalesce(sum(parts), 0) + count(*) FILTER (WHERE claimable) AS claimable,
    (SELECT n FROM held) + count(*) FILTER (WHERE claimed) AS claimed
FROM current
