-- API keys with their limits, what was used of them, and how long tenants keep their jobs.
CREATE TABLE api_keys (
    id                    uuid PRIMARY KEY,
    digest                bytea NOT NULL UNIQUE,
    start                 text NOT NULL,
    name                  text NOT NULL,
    tenant                text NOT NULL,
    scopes                text[] NOT NULL,
    requests_per_minute   integer CHECK (requests_per_minute > 0),
    audio_seconds_per_day integer CHECK (audio_seconds_per_day > 0),
    created_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at            timestamptz,
    revoked_at            timestamptz,
    last_used_at          timestamptz
);

-- When a key may make as many requests at once as ever. Unlogged: counting costs no flush, and after a crash all are full.
CREATE UNLOGGED TABLE rates (
    api_key uuid PRIMARY KEY REFERENCES api_keys ON DELETE CASCADE,
    full_at timestamptz NOT NULL
);

CREATE TABLE usage (
    api_key uuid NOT NULL,
    day     date NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (api_key, day)
);

CREATE TABLE tenants (
    name              text PRIMARY KEY,
    retention_seconds bigint CHECK (retention_seconds >= 0)
);

CREATE INDEX jobs_open_by_key ON jobs (api_key) WHERE status IN ('queued', 'running') AND api_key IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- A trigger, so that a job is counted whoever ends it, and in the same transaction.
CREATE FUNCTION count_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage (api_key, day, seconds)
    VALUES (new.api_key, (clock_timestamp() AT TIME ZONE 'UTC')::date, new.processed_seconds)
    ON CONFLICT (api_key, day) DO UPDATE SET seconds = usage.seconds + excluded.seconds;
    RETURN NULL;
END
$$;
CREATE TRIGGER jobs_count_usage AFTER UPDATE OF finished_at ON jobs FOR EACH ROW
    WHEN (old.finished_at IS NULL AND new.finished_at IS NOT NULL AND new.api_key IS NOT NULL)
    EXECUTE FUNCTION count_usage();
