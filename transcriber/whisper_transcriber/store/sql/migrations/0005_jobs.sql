-- What jobs say about themselves, whose key they are counted against, and whose result they took over. Only additions.
ALTER TABLE jobs
    ADD COLUMN metadata    jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN api_key     uuid,
    ADD COLUMN reused_from uuid;

CREATE INDEX jobs_metadata ON jobs USING gin (metadata jsonb_path_ops) WHERE metadata <> '{}';
CREATE INDEX jobs_reusable ON jobs (tenant, fingerprint, finished_at DESC) WHERE status = 'succeeded';
CREATE INDEX jobs_succeeded ON jobs (model, finished_at DESC) WHERE status = 'succeeded' AND reused_from IS NULL;
