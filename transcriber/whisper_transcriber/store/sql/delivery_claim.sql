-- $1 how long whoever claims it may take
WITH busy AS MATERIALIZED (
    SELECT tenant, host FROM deliveries WHERE lease_until >= clock_timestamp()
), next AS MATERIALIZED (
    SELECT id FROM deliveries due
    WHERE status = 'pending' AND next_at <= clock_timestamp()
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
    ORDER BY
        (SELECT count(*) FROM busy WHERE busy.tenant = due.tenant),
        (SELECT count(*) FROM busy WHERE busy.host = due.host),
        next_at, id
    LIMIT 1
    FOR NO KEY UPDATE OF due SKIP LOCKED
)
UPDATE deliveries SET lease_until = clock_timestamp() + $1::interval, attempts = attempts + 1, fence = fence + 1
FROM next WHERE deliveries.id = next.id
RETURNING deliveries.*
