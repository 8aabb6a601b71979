-- $1 job, $2 attempt, $3 lease
UPDATE jobs SET lease_until = clock_timestamp() + $3::interval
WHERE id = $1 AND attempt = $2 AND status = 'running'
RETURNING *
