-- $1 id, $2 tenant
WITH removed AS (
    DELETE FROM endpoints WHERE id = $1 AND tenant = $2 RETURNING tenant
)
UPDATE tenants SET webhooks = webhooks - 1 FROM removed WHERE name = removed.tenant
RETURNING name
