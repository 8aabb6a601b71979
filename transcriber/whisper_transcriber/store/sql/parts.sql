-- $1 job
SELECT part, start_seconds, end_seconds, status = 'done' AS done FROM parts WHERE job_id = $1 ORDER BY part
