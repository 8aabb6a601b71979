-- $1 job, $2 part; null: all
SELECT result FROM windows WHERE job_id = $1 AND ($2::integer IS NULL OR part = $2) ORDER BY part, index
