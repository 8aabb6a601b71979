-- $1 id, $2 when it goes, $3 the upload
INSERT INTO files (id, expires_at, body) VALUES ($1, $2, ($3::text)::jsonb)
