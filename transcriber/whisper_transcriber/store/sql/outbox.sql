SELECT
    count(*) AS pending,
    count(*) FILTER (WHERE next_at <= statement_timestamp() OR lease_until IS NOT NULL) AS due,
    greatest(extract(epoch FROM statement_timestamp() - min(next_at)), 0) AS oldest
FROM deliveries WHERE status = 'pending'
