-- $1 id, $2 tenant, $3 URL, $4 events, $5 whether with the transcript, $6 how many a tenant may have
-- The tenant's own row counts: of several at once each sees what the one before has added.
WITH owner AS (
    INSERT INTO tenants (name, webhooks) VALUES ($2, 1)
    ON CONFLICT (name) DO UPDATE SET webhooks = tenants.webhooks + 1 WHERE tenants.webhooks < $6
    RETURNING name
)
INSERT INTO endpoints (id, tenant, url, events, transcript) SELECT $1, name, $3, $4, $5 FROM owner
RETURNING *
