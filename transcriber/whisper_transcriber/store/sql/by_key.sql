-- $1 tenant, $2 idempotency key
SELECT * FROM jobs WHERE tenant = $1 AND idempotency_key = $2
