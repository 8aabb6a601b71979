SELECT version, body FROM files WHERE id = $1
