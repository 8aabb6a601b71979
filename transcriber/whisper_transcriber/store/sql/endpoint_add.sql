-- $1 id, $2 tenant, $3 URL, $4 events, $5 whether with the transcript, $6 how many a tenant may have
-- The tenant's row is locked, so that of several at once none is one too many.
WITH owner AS MATERIALIZED (
    INSERT INTO tenants (name) VALUES ($2) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING name
)
INSERT INTO endpoints (id, tenant, url, events, transcript)
SELECT $1, name, $3, $4, $5 FROM owner WHERE (SELECT count(*) FROM endpoints WHERE tenant = $2) < $6
RETURNING *
