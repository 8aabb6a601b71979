-- $1 job, $2 attempt, $3 status, $4 language, $5 audio seconds, $6 error code, $7 error message
-- The windows are not needed any more: the transcript is in the object store, or there will be none.
WITH ended AS (
    UPDATE jobs SET
        status = $3,
        language = coalesce($4, language),
        audio_seconds = coalesce($5, audio_seconds),
        processed_seconds = coalesce($5, processed_seconds),
        windows_total = CASE WHEN $3 = 'succeeded' THEN windows_done ELSE windows_total END,
        error_code = $6,
        error_message = $7,
        worker = NULL,
        lease_until = NULL,
        finished_at = clock_timestamp()
    WHERE id = $1 AND attempt = $2 AND status = 'running'
    RETURNING *
), forgotten AS (
    DELETE FROM windows USING ended WHERE job_id = ended.id
)
SELECT * FROM ended
