-- $1 id, $2 when it was made, $3 when it goes, $4 the upload
INSERT INTO files (id, created_at, expires_at, body) VALUES ($1, $2, $3, ($4::text)::jsonb)
