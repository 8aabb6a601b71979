-- $1 batch, $2 fence, $3 how long it is held
UPDATE batches SET lease_until = clock_timestamp() + $3::interval, next_at = clock_timestamp() + $3::interval
WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL
RETURNING id
