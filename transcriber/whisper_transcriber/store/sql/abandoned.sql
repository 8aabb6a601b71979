-- $1 how long an upload may take, $2 how long an ended synchronous job stays
SELECT id FROM uploads WHERE begun_at < clock_timestamp() - $1::interval
UNION ALL
SELECT id FROM jobs WHERE synchronous AND finished_at < clock_timestamp() - $2::interval
