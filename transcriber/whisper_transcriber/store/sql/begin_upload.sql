INSERT INTO uploads (id) VALUES ($1)
