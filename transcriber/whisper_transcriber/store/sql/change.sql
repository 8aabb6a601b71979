-- $1 job, $2 priority, $3 metadata; null leaves it as it is
UPDATE jobs SET priority = coalesce($2, priority), metadata = coalesce(($3::text)::jsonb, metadata)
WHERE id = $1
RETURNING *
