-- $1 batch, $2 fence, $3 the batch, $4 when it ended (null: it has not), $5 how long it is held (null: no longer)
UPDATE batches SET
    body = ($3::text)::jsonb, ended_at = $4,
    lease_until = clock_timestamp() + $5::interval, next_at = clock_timestamp() + $5::interval
WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL
RETURNING *
