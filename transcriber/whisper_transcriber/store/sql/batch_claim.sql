-- $1 how long whoever claims it may take
WITH next AS MATERIALIZED (
    SELECT id FROM batches WHERE next_at <= statement_timestamp() ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE batches SET
    lease_until = clock_timestamp() + $1::interval, next_at = clock_timestamp() + $1::interval, fence = fence + 1
FROM next WHERE batches.id = next.id
RETURNING batches.*
