-- The request that made a job, for those who trace it (W3C traceparent). Only an addition.
ALTER TABLE jobs ADD COLUMN traceparent text;
