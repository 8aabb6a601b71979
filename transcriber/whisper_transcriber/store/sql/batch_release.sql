-- $1 batch, $2 fence, $3 after how long it is due
UPDATE batches SET lease_until = NULL, next_at = clock_timestamp() + $3::interval
WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL
