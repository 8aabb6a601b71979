-- Requests for the same share one synchronous job. `waiters` are how many wait for it now; when the last one goes away
-- before its end, it is parked: nobody works at it, and what was done is kept for whoever asks again. Its `finished_at` is
-- when that was. Only additions: older processes make no parked jobs, and pass over them.
ALTER TABLE jobs ADD COLUMN waiters integer NOT NULL DEFAULT 1;
ALTER TABLE jobs DROP CONSTRAINT jobs_status_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_status_check
    CHECK (status IN ('queued', 'running', 'parked', 'succeeded', 'failed', 'cancelled')) NOT VALID;
