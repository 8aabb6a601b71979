-- What a process that dies leaves behind, so that another one can find it.

-- A job that a request waits for belongs to it: nobody else will ask for the job.
ALTER TABLE jobs ADD COLUMN synchronous boolean NOT NULL DEFAULT false;
CREATE INDEX jobs_synchronous ON jobs (finished_at) WHERE synchronous;

-- Objects are written before their job is recorded; a row here stands for the job until then.
CREATE TABLE uploads (
    id       uuid PRIMARY KEY,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
