-- Batches: many requests in a file, each a job. `next_at` is when somebody looks at one next (null: never again),
-- `lease_until` how long whoever works at it may take; then both are the same. `fence` counts leases.
CREATE TABLE batches (
    id            uuid PRIMARY KEY,
    tenant        text NOT NULL,
    created_at    timestamptz NOT NULL,
    next_at       timestamptz DEFAULT clock_timestamp(),
    lease_until   timestamptz,
    fence         integer NOT NULL DEFAULT 0,
    cancelling_at timestamptz,
    ended_at      timestamptz,
    body          jsonb NOT NULL
);
CREATE INDEX batches_of_tenant ON batches (tenant, created_at, id);
CREATE INDEX batches_due ON batches (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX batches_ended ON batches (ended_at) WHERE ended_at IS NOT NULL;
