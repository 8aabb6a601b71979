-- $1 job, $2 attempt, $3 lease
UPDATE jobs SET
    lease_until = CASE WHEN parts = 0 THEN clock_timestamp() + $3::interval END,
    held_until = CASE WHEN parts > 0 THEN clock_timestamp() + $3::interval END
WHERE id = $1 AND attempt = $2 AND status = 'running'
RETURNING *
