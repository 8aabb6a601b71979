-- $1 job, $2 attempt, $3 part, $4 whether this attempt failed
UPDATE parts SET
    status = 'queued', worker = NULL, lease_until = NULL, failures = parts.failures + ($4::boolean)::integer
FROM jobs
WHERE jobs.id = job_id AND jobs.status = 'running'
  AND job_id = $1 AND part = $3 AND parts.attempt = $2 AND parts.status = 'running'
RETURNING jobs.*
