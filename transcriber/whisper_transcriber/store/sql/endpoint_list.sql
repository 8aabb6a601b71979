SELECT * FROM endpoints WHERE tenant = $1 ORDER BY created_at, id
