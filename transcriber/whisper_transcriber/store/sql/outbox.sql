SELECT
    count(*) AS pending,
    count(*) FILTER (WHERE waits) AS due,
    coalesce(extract(epoch FROM clock_timestamp() - min(next_at) FILTER (WHERE waits)), 0) AS oldest
FROM (
    SELECT next_at,
        next_at <= clock_timestamp() AND (lease_until IS NULL OR lease_until < clock_timestamp()) AS waits
    FROM deliveries WHERE status = 'pending'
) open
