-- $1 delivery, $2 fence, $3 how it ended (null: it did not), $4 after how long it is tried again, $5 the try, $6 how many
-- tries are kept, $7 whether the receiver is gone for good
WITH recorded AS (
    UPDATE deliveries SET
        status = coalesce($3, status),
        next_at = clock_timestamp() + $4::interval,
        lease_until = NULL,
        log = CASE WHEN jsonb_array_length(log) >= $6 THEN log - 0 ELSE log END || ($5::text)::jsonb
    WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL
    RETURNING id, endpoint
), disabled AS (
    UPDATE endpoints SET disabled_at = coalesce(disabled_at, clock_timestamp())
    FROM recorded WHERE endpoints.id = recorded.endpoint AND $7::boolean
)
SELECT id FROM recorded
