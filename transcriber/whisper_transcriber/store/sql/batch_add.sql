-- $1 id, $2 tenant, $3 when it was made, $4 the batch
INSERT INTO batches (id, tenant, created_at, body) VALUES ($1, $2, $3, ($4::text)::jsonb)
