-- Long files are split into parts that workers claim one by one. Only additions: older processes go on meanwhile.

-- A job without parts is claimed as a whole, with `lease_until`, as it always was. Once it has parts, `lease_until` is null
-- (an older worker never claims it then) and `held_until` is the lease of whoever opens or closes it; null: nobody needs to.
-- `due_at` orders what is queued; null: since it was made.
ALTER TABLE jobs
    ADD COLUMN parts      integer NOT NULL DEFAULT 0,
    ADD COLUMN parts_done integer NOT NULL DEFAULT 0,
    ADD COLUMN opened     boolean NOT NULL DEFAULT false,
    ADD COLUMN held_until timestamptz,
    ADD COLUMN due_at     timestamptz;

CREATE TABLE parts (
    job_id            uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    part              integer NOT NULL,
    start_seconds     double precision NOT NULL,
    end_seconds       double precision NOT NULL,
    processed_seconds double precision NOT NULL DEFAULT 0,
    status            text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done')),
    attempt           integer NOT NULL DEFAULT 0,
    failures          integer NOT NULL DEFAULT 0,
    worker            text,
    lease_until       timestamptz,
    claimed_at        timestamptz,
    PRIMARY KEY (job_id, part),
    CHECK (start_seconds < end_seconds)
);

CREATE INDEX jobs_queued ON jobs (tenant, priority, coalesce(due_at, created_at), id) WHERE status = 'queued';
CREATE INDEX jobs_running ON jobs (id) WHERE status = 'running';
CREATE INDEX parts_running ON parts (job_id) WHERE status = 'running';
