WITH ended AS (
    UPDATE jobs SET
        status = 'cancelled', worker = NULL, lease_until = NULL, held_until = NULL, finished_at = clock_timestamp()
    WHERE id = $1 AND status IN ('queued', 'running', 'parked')
    RETURNING id
), parts_forgotten AS (
    DELETE FROM parts USING ended WHERE job_id = ended.id
)
DELETE FROM windows USING ended WHERE job_id = ended.id
