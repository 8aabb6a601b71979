WITH ended AS (
    UPDATE jobs SET status = 'cancelled', worker = NULL, lease_until = NULL, finished_at = clock_timestamp()
    WHERE id = $1 AND status IN ('queued', 'running')
    RETURNING id
)
DELETE FROM windows USING ended WHERE job_id = ended.id
