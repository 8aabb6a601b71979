-- $1 seconds after which a pace counts half, $2 how long one is remembered
SELECT sum(busy_seconds * weight) / sum(audio_seconds * weight) AS factor FROM (
    SELECT *, power(0.5, extract(epoch FROM clock_timestamp() - at) / $1::double precision) AS weight FROM paces
    WHERE at >= clock_timestamp() - $2::interval
) weighted
