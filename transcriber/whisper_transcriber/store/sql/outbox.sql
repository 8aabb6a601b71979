SELECT
    count(*) AS pending,
    count(*) FILTER (WHERE next_at <= clock_timestamp()) AS due,
    coalesce(extract(epoch FROM clock_timestamp() - min(next_at) FILTER (WHERE next_at <= clock_timestamp())), 0) AS oldest
FROM deliveries WHERE status = 'pending'
