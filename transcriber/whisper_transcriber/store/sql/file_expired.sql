SELECT id FROM files WHERE expires_at < clock_timestamp() LIMIT 1000
