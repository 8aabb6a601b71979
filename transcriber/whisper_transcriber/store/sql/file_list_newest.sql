-- $1 tenant, $2 limit, $3 the file to go on after, $4 purpose
SELECT version, body FROM files
WHERE body ->> 'tenant' = $1
  AND body ->> 'status' = 'completed'
  AND expires_at >= clock_timestamp()
  AND ($4::text IS NULL OR body ->> 'purpose' = $4)
  AND ($3::uuid IS NULL
    OR (created_at, id) < (SELECT created_at, id FROM files WHERE id = $3 AND body ->> 'tenant' = $1))
ORDER BY created_at DESC, id DESC
LIMIT $2
