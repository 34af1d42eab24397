-- Everything Tau keeps: keys read like paths, values are versioned JSON.
CREATE TABLE IF NOT EXISTS kv (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each record of a session's journal; what is no JSON shows as NULL.
CREATE VIEW entries AS
SELECT
    session,
    seq,
    datetime(record ->> '$.at' / 1000.0, 'unixepoch') AS at,
    record ->> '$.type' AS type,
    record ->> '$.message.parts[0].text' AS text,
    record
FROM (
    SELECT
        substr(key, 9, instr(substr(key, 9), '/') - 1) AS session,
        CAST(substr(key, -10) AS INTEGER) AS seq,
        iif(json_valid(CAST(value AS TEXT)), CAST(value AS TEXT), NULL) AS record
    FROM kv
    WHERE key >= 'session/' AND key < 'session0' AND key GLOB 'session/*/journal/*'
);

-- One row for each session.
CREATE VIEW sessions AS
SELECT
    session,
    summary ->> '$.title' AS title,
    datetime(summary ->> '$.created' / 1000.0, 'unixepoch') AS created,
    datetime(summary ->> '$.updated' / 1000.0, 'unixepoch') AS updated,
    summary ->> '$.turns' AS turns,
    summary ->> '$.records' AS records,
    summary ->> '$.model' AS model,
    summary ->> '$.running' AS running
FROM (
    SELECT
        substr(key, 10) AS session,
        iif(json_valid(CAST(value AS TEXT)), CAST(value AS TEXT), NULL) AS summary
    FROM kv
    WHERE key >= 'sessions/' AND key < 'sessions0'
);
