-- $1 key
SELECT
    coalesce((SELECT seconds FROM usage WHERE api_key = $1 AND day = (clock_timestamp() AT TIME ZONE 'UTC')::date), 0)
    + coalesce((SELECT sum(audio_seconds) FROM jobs WHERE api_key = $1 AND status IN ('queued', 'running')), 0) AS seconds
