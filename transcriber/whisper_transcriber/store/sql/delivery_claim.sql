-- $1 how long whoever claims it may take
-- Each tenant and host has its turn, found by single steps of the index however much waits. Turns are ordered without
-- locks, then taken in that order until something can be locked: claimers at the same moment take different deliveries.
WITH RECURSIVE lines AS (
    (SELECT tenant, host FROM deliveries WHERE status = 'pending' ORDER BY tenant, host LIMIT 1)
    UNION ALL
    SELECT next.tenant, next.host FROM lines CROSS JOIN LATERAL (
        SELECT tenant, host FROM deliveries
        WHERE status = 'pending' AND (tenant, host) > (lines.tenant, lines.host)
        ORDER BY tenant, host LIMIT 1
    ) next
), busy AS MATERIALIZED (
    SELECT tenant, host FROM deliveries WHERE lease_until >= statement_timestamp()
), turns AS (
    SELECT lines.tenant, lines.host, head.next_at,
        (SELECT count(*) FROM busy WHERE busy.tenant = lines.tenant) AS of_tenant,
        (SELECT count(*) FROM busy WHERE busy.host = lines.host) AS of_host
    FROM lines CROSS JOIN LATERAL (
        SELECT next_at FROM deliveries
        WHERE status = 'pending' AND tenant = lines.tenant AND host = lines.host AND next_at <= statement_timestamp()
        ORDER BY next_at LIMIT 1
    ) head
), next AS MATERIALIZED (
    SELECT free.id FROM (SELECT * FROM turns ORDER BY of_tenant, of_host, next_at) turn
    CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE status = 'pending' AND tenant = turn.tenant AND host = turn.host AND next_at <= statement_timestamp()
        ORDER BY next_at LIMIT 1
        FOR NO KEY UPDATE SKIP LOCKED
    ) free
    LIMIT 1
)
UPDATE deliveries SET
    lease_until = clock_timestamp() + $1::interval, next_at = clock_timestamp() + $1::interval,
    attempts = attempts + 1, fence = fence + 1
FROM next WHERE deliveries.id = next.id
RETURNING deliveries.*
