-- $1 how long an upload may take, $2 how long an ended synchronous job stays, $3 how long any ended job does (null: for ever)
SELECT id FROM uploads WHERE begun_at < clock_timestamp() - $1::interval
UNION ALL
SELECT id FROM jobs WHERE synchronous AND finished_at < clock_timestamp() - $2::interval
UNION ALL
(
    SELECT id FROM jobs LEFT JOIN tenants ON tenants.name = jobs.tenant
    WHERE NOT synchronous AND finished_at
        < clock_timestamp() - coalesce(make_interval(secs => tenants.retention_seconds), $3::interval)
    ORDER BY finished_at LIMIT 1000
)
