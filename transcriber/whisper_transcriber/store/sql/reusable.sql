-- $1 tenant, $2 fingerprint
-- The newest job with that model says which weights it has now: what others heard is not the answer of today.
SELECT jobs.* FROM jobs
WHERE tenant = $1 AND fingerprint = $2 AND status = 'succeeded' AND NOT synchronous
  AND model_digest = (
    SELECT model_digest FROM jobs newest
    WHERE newest.model = jobs.model AND newest.status = 'succeeded' AND newest.reused_from IS NULL
    ORDER BY finished_at DESC LIMIT 1
  )
ORDER BY finished_at DESC
LIMIT 1
