SELECT count(*) AS open FROM batches WHERE next_at IS NOT NULL
