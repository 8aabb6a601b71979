-- Files are listed by tenant, in the order of their making. Only additions: a process of before leaves the time to the default.
ALTER TABLE files ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
UPDATE files SET created_at = (body ->> 'created_at')::timestamptz WHERE body ? 'created_at';
CREATE INDEX files_of_tenant ON files ((body ->> 'tenant'), created_at, id);
