-- $1 job, $2 attempt, $3 part, $4 lease
UPDATE parts SET lease_until = clock_timestamp() + $4::interval
FROM jobs
WHERE jobs.id = job_id AND jobs.status = 'running'
  AND job_id = $1 AND part = $3 AND parts.attempt = $2 AND parts.status = 'running'
RETURNING jobs.*
