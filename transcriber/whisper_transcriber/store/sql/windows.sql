SELECT result FROM windows WHERE job_id = $1 ORDER BY part, index
