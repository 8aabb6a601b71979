-- $1 how long an ended batch stays (null: for ever), where its tenant says nothing else
SELECT batches.* FROM batches LEFT JOIN tenants ON tenants.name = batches.tenant
WHERE ended_at < clock_timestamp() - coalesce(make_interval(secs => tenants.retention_seconds), $1::interval)
ORDER BY ended_at LIMIT 1000
