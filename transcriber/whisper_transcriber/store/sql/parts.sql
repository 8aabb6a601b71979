-- $1 job
SELECT part, start_seconds, end_seconds FROM parts WHERE job_id = $1 ORDER BY part
