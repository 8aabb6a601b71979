-- $1 tenant, $2 seconds
INSERT INTO tenants (name, retention_seconds) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET retention_seconds = excluded.retention_seconds
