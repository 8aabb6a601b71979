-- $1 worker, $2 seconds at work, $3 seconds of audio done in them, $4 how long a pace is remembered
WITH forgotten AS (DELETE FROM paces WHERE at < clock_timestamp() - $4::interval AND worker <> $1)
INSERT INTO paces (worker, busy_seconds, audio_seconds) VALUES ($1, $2, $3)
ON CONFLICT (worker) DO UPDATE
SET busy_seconds = excluded.busy_seconds, audio_seconds = excluded.audio_seconds, at = excluded.at
