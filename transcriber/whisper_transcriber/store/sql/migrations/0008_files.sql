-- Uploads that are sent in pieces: each is one document, changed by whoever knows its newest version.
CREATE TABLE files (
    id         uuid PRIMARY KEY,
    version    integer NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    body       jsonb NOT NULL
);
CREATE INDEX files_expire ON files (expires_at);
