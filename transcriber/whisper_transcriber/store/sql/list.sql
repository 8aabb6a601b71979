-- $1 limit, $2 the job to go on after, $3 tenant, $4 status, $5 model, $6 created after, $7 created before, $8 metadata
SELECT * FROM jobs
WHERE tenant = $3
  AND ($2::uuid IS NULL OR (created_at, id) < (SELECT created_at, id FROM jobs WHERE id = $2 AND tenant = $3))
  AND ($4::text IS NULL OR status = $4)
  AND ($5::text IS NULL OR model = $5)
  AND ($6::timestamptz IS NULL OR created_at >= $6)
  AND ($7::timestamptz IS NULL OR created_at < $7)
  AND ($8::text IS NULL OR (metadata <> '{}' AND metadata @> ($8::text)::jsonb))
ORDER BY created_at DESC, id DESC
LIMIT $1
