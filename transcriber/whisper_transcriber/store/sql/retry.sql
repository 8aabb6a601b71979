-- $1 job, $2 seconds of waiting that make up for any length
-- As if it had just been made, but for its age; windows and parts went when it ended. `attempt` goes on: it fences.
UPDATE jobs SET
    status = 'queued', error_code = NULL, error_message = NULL, finished_at = NULL, started_at = NULL,
    processed_seconds = 0, windows_done = 0, windows_total = NULL, failures = 0,
    attempt = attempt + 1, parts = 0, parts_done = 0, opened = false, worker = NULL, lease_until = NULL,
    held_until = NULL,
    due_at = CASE WHEN audio_seconds IS NULL THEN due_at ELSE created_at + make_interval(secs => least(audio_seconds, $2)) END
WHERE id = $1 AND status IN ('failed', 'cancelled')
