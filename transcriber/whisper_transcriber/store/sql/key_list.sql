-- $1 one key; null: all
SELECT * FROM api_keys WHERE $1::uuid IS NULL OR id = $1 ORDER BY created_at DESC, id DESC
