-- $1 job
-- What goes before it: who has a higher priority, or the same one and is due earlier; and what is left of running jobs.
-- How fast: what the running jobs have done since they began, or else what the last ones did one by one.
WITH mine AS (
    SELECT *, coalesce(due_at, created_at) AS due FROM jobs WHERE id = $1
), recent AS (
    SELECT audio_seconds, extract(epoch FROM finished_at - started_at)::double precision AS took
    FROM jobs JOIN (SELECT model FROM mine) wanted USING (model)
    WHERE status = 'succeeded' AND reused_from IS NULL
    ORDER BY finished_at DESC LIMIT 20
), typical AS (
    SELECT avg(audio_seconds) AS seconds, sum(audio_seconds) / nullif(sum(took), 0) AS rate FROM recent
), before AS (
    SELECT jobs.* FROM jobs, mine
    WHERE jobs.status = 'queued' AND mine.status = 'queued' AND jobs.id <> mine.id AND (
        jobs.priority > mine.priority OR (jobs.priority = mine.priority AND (coalesce(jobs.due_at, jobs.created_at), jobs.id) < (mine.due, mine.id))
    )
), running AS (
    SELECT
        sum(greatest(audio_seconds - processed_seconds, 0)) AS remaining,
        sum(processed_seconds / nullif(extract(epoch FROM clock_timestamp() - started_at), 0))::double precision AS rate
    FROM jobs WHERE status = 'running'
)
SELECT
    (SELECT count(*) FROM before)::integer AS ahead,
    coalesce((SELECT sum(coalesce(audio_seconds, typical.seconds, 0)) FROM before), 0)
        + coalesce(running.remaining, 0) AS ahead_seconds,
    typical.seconds AS typical_seconds,
    coalesce(nullif(running.rate, 0), typical.rate) AS rate
FROM mine, typical, running
