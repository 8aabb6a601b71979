-- Jobs, the claim on each, and the windows done so far.
CREATE TABLE jobs (
    id               uuid PRIMARY KEY,
    tenant           text NOT NULL,
    idempotency_key  text,
    fingerprint      text NOT NULL,
    status           text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    priority         integer NOT NULL,
    model            text NOT NULL,
    options          jsonb NOT NULL,
    source_url       text,
    sha256           text,
    model_digest     text,
    engine           text,
    language         text,
    audio_seconds    double precision,
    processed_seconds double precision NOT NULL DEFAULT 0,
    windows_done     integer NOT NULL DEFAULT 0,
    windows_total    integer,
    windows_repeated integer NOT NULL DEFAULT 0,
    error_code       text,
    error_message    text,
    -- The claim. `attempt` fences it; `failures` counts attempts in a row that brought no window.
    attempt          integer NOT NULL DEFAULT 0,
    failures         integer NOT NULL DEFAULT 0,
    worker           text,
    lease_until      timestamptz,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at       timestamptz,
    finished_at      timestamptz,
    CHECK ((source_url IS NULL) <> (sha256 IS NULL))
);

CREATE UNIQUE INDEX jobs_idempotency ON jobs (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_claimable ON jobs (priority DESC, created_at, id) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_newest ON jobs (tenant, created_at DESC, id DESC);

-- A part is a stretch of a job's audio that one worker claims; for now every job is one part, number 0.
CREATE TABLE windows (
    job_id   uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    part     integer NOT NULL DEFAULT 0,
    index    integer NOT NULL,
    attempt  integer NOT NULL,
    result   jsonb NOT NULL,
    done_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, part, index)
);
