-- $1 job
UPDATE jobs SET idempotency_key = NULL WHERE id = $1 AND waiters = 0 RETURNING id
