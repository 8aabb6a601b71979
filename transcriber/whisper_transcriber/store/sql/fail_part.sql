-- $1 job, $2 attempt, $3 part, $4 error code, $5 error message
-- One part that cannot be done ends the job: whoever holds another part hears of it at the next write.
WITH job AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = $1 AND status = 'running' FOR NO KEY UPDATE
), held AS MATERIALIZED (
    SELECT job_id FROM parts JOIN job ON job.id = job_id
    WHERE part = $3 AND attempt = $2 AND status = 'running'
    FOR NO KEY UPDATE OF parts
), ended AS (
    UPDATE jobs SET
        status = 'failed', error_code = $4, error_message = $5, worker = NULL, held_until = NULL,
        finished_at = clock_timestamp()
    FROM held WHERE id = held.job_id
    RETURNING jobs.*
), forgotten AS (
    DELETE FROM windows USING ended WHERE job_id = ended.id
), parts_forgotten AS (
    DELETE FROM parts USING ended WHERE job_id = ended.id
)
SELECT * FROM ended
