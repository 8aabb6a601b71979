DELETE FROM endpoints WHERE id = $1 AND tenant = $2 RETURNING id
