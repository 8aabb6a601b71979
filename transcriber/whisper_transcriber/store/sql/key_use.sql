-- $1 hash, $2 seconds in which a key may make at once what it may make in them
-- One statement: of requests at the same moment each counts once, whichever API pod takes it.
WITH known AS (
    SELECT *, revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp()) AS usable,
        make_interval(secs => 60.0 / requests_per_minute) AS step
    FROM api_keys WHERE digest = $1
), counted AS (
    INSERT INTO rates (api_key, full_at)
    SELECT id, clock_timestamp() + step FROM known WHERE usable AND requests_per_minute IS NOT NULL
    ON CONFLICT (api_key) DO UPDATE
    SET full_at = greatest(rates.full_at, clock_timestamp()) + (SELECT step FROM known)
    WHERE greatest(rates.full_at, clock_timestamp()) + (SELECT step FROM known)
        <= clock_timestamp() + make_interval(secs => $2)
    RETURNING full_at
), seen AS (
    UPDATE api_keys SET last_used_at = clock_timestamp() FROM known
    WHERE api_keys.id = known.id AND known.usable
      AND (known.last_used_at IS NULL OR known.last_used_at < clock_timestamp() - interval '1 minute')
)
SELECT known.*, counted.full_at IS NOT NULL AS counted,
    extract(epoch FROM coalesce(counted.full_at, rates.full_at) - clock_timestamp())::double precision AS full_after
FROM known LEFT JOIN counted ON true LEFT JOIN rates ON rates.api_key = known.id
