-- $1 job, $2 how many
SELECT * FROM deliveries WHERE job_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
