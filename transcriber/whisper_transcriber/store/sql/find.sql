-- $1 jobs
SELECT * FROM jobs WHERE id = ANY($1)
