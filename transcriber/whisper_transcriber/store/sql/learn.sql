-- $1 job, $2 attempt, $3 model digest, $4 engine, $5 audio seconds, $6 windows in all
UPDATE jobs SET
    model_digest = coalesce($3, model_digest),
    engine = coalesce($4, engine),
    audio_seconds = coalesce($5, audio_seconds),
    windows_total = coalesce($6, windows_total)
WHERE id = $1 AND attempt = $2 AND status = 'running'
RETURNING *
