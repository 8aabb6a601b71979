-- $1 job. Whoever goes on for one that died begins anew.
INSERT INTO uploads (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET begun_at = clock_timestamp()
