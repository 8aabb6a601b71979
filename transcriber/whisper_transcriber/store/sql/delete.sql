WITH upload AS (
    DELETE FROM uploads WHERE id = $1
)
DELETE FROM jobs WHERE id = $1 RETURNING id
