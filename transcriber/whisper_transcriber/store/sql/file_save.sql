-- $1 id, $2 version, $3 when it goes, $4 the upload
UPDATE files SET version = version + 1, expires_at = $3, body = ($4::text)::jsonb
WHERE id = $1 AND version = $2
RETURNING version
