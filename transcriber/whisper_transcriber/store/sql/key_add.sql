-- $1 id, $2 hash, $3 first characters, $4 name, $5 tenant, $6 scopes, $7 end, $8 requests a minute, $9 audio a day
INSERT INTO api_keys (id, digest, start, name, tenant, scopes, expires_at, requests_per_minute, audio_seconds_per_day)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING *
