-- How fast each worker is: what a scaler needs to know how many of them a queue takes. Only an addition.
CREATE TABLE paces (
    worker        text PRIMARY KEY,
    busy_seconds  double precision NOT NULL,
    audio_seconds double precision NOT NULL CHECK (audio_seconds > 0),
    at            timestamptz NOT NULL DEFAULT clock_timestamp()
);
