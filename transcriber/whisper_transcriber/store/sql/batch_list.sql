-- $1 tenant, $2 limit, $3 the batch to go on after
SELECT * FROM batches
WHERE tenant = $1
  AND ($3::uuid IS NULL OR (created_at, id) < (SELECT created_at, id FROM batches WHERE id = $3 AND tenant = $1))
ORDER BY created_at DESC, id DESC
LIMIT $2
