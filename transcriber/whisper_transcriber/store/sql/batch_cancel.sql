-- $1 batch
UPDATE batches SET
    cancelling_at = clock_timestamp(),
    next_at = CASE WHEN lease_until IS NULL THEN clock_timestamp() ELSE next_at END
WHERE id = $1 AND ended_at IS NULL AND cancelling_at IS NULL
