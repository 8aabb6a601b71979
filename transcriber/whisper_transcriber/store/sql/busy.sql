-- Who holds claims, and how many.
SELECT worker, count(*) AS claims FROM (
    SELECT worker FROM jobs WHERE status = 'running' AND coalesce(held_until, lease_until) >= clock_timestamp()
    UNION ALL
    SELECT parts.worker FROM parts JOIN jobs ON jobs.id = job_id
    WHERE jobs.status = 'running' AND parts.status = 'running' AND parts.lease_until >= clock_timestamp()
) held
WHERE worker IS NOT NULL GROUP BY worker ORDER BY worker
