-- $1 job, $2 attempt, $3 whether this attempt failed
UPDATE jobs SET status = 'queued', worker = NULL, lease_until = NULL, failures = failures + ($3::boolean)::integer
WHERE id = $1 AND attempt = $2 AND status = 'running'
RETURNING *
