-- $1 id, $2 tenant, $3 URL, $4 events, $5 whether with the transcript, $6 whether it is told
UPDATE endpoints SET
    url = $3, events = $4, transcript = $5, disabled_at = CASE WHEN NOT $6 THEN coalesce(disabled_at, clock_timestamp()) END
WHERE id = $1 AND tenant = $2
RETURNING *
