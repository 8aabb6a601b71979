SELECT * FROM batches WHERE id = $1
