-- $1 limit, $2 the job to go on after, $3 status
SELECT * FROM jobs
WHERE ($3::text IS NULL OR status = $3)
  AND ($2::uuid IS NULL OR (created_at, id) < (SELECT created_at, id FROM jobs WHERE id = $2))
ORDER BY created_at DESC, id DESC
LIMIT $1
