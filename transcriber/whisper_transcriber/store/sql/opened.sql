-- $1 job, $2 attempt, $3 audio seconds, $4 lease
-- The claim ends; if all parts are done already, a new one, to close the job, begins with it.
UPDATE jobs SET
    opened = true,
    audio_seconds = $3,
    failures = 0,
    attempt = attempt + 1,
    worker = CASE WHEN parts_done = parts THEN worker END,
    held_until = CASE WHEN parts_done = parts THEN clock_timestamp() + $4::interval END
WHERE id = $1 AND attempt = $2 AND status = 'running' AND parts > 0 AND NOT opened
RETURNING *
