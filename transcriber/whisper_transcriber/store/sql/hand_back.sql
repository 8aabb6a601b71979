-- $1 job, $2 attempt, $3 whether this attempt failed, $4 seconds of waiting that make up for any length
-- A job with parts stays running: workers may be at them. Its opening or closing is claimable at once, and the next
-- attempt begins now: a late sign of life of this one must not hold it.
UPDATE jobs SET
    status = CASE WHEN parts = 0 THEN 'queued' ELSE status END,
    attempt = attempt + (parts > 0)::integer,
    worker = NULL,
    lease_until = NULL,
    held_until = CASE WHEN parts > 0 THEN '-infinity'::timestamptz END,
    due_at = CASE WHEN audio_seconds IS NULL THEN due_at ELSE created_at + make_interval(secs => least(audio_seconds, $4)) END,
    failures = failures + ($3::boolean)::integer
WHERE id = $1 AND attempt = $2 AND status = 'running'
RETURNING *
