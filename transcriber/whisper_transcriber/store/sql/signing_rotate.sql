-- $1 tenant, $2 how long the secret before signs too
INSERT INTO tenants (name, webhook_generation, webhook_previous_until)
VALUES ($1, 1, clock_timestamp() + $2::interval)
ON CONFLICT (name) DO UPDATE
SET webhook_generation = tenants.webhook_generation + 1, webhook_previous_until = excluded.webhook_previous_until
RETURNING webhook_generation, webhook_previous_until
