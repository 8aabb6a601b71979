-- $1 job, $2 delivery
-- Whoever tries it now has lost it: the receiver may get it twice, with the same id.
UPDATE deliveries SET
    status = 'pending', attempts = 0, next_at = clock_timestamp(), lease_until = NULL, fence = fence + 1
WHERE job_id = $1 AND id = $2
RETURNING *
