-- Everything Tau keeps: keys read like paths, values are versioned JSON. `kv` is all of it; behind
-- it, values lie where they are found fast. Looking for a key in `short` goes past whole rows, and
-- SQLite reads a row that does not fit its page to the end only to compare its key.
CREATE TABLE short (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB -- NULL where it is in `long`
) STRICT, WITHOUT ROWID;

CREATE TABLE long (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE VIEW kv AS
SELECT key, coalesce(value, (SELECT long.value FROM long WHERE long.key = short.key)) AS value
FROM short;

-- A page of 4,096 bytes holds 1,002 of a row.
CREATE TRIGGER kv_insert INSTEAD OF INSERT ON kv BEGIN
    DELETE FROM long WHERE key = NEW.key;
    INSERT OR REPLACE INTO short (key, value)
    VALUES (NEW.key, iif(length(NEW.key) + length(NEW.value) <= 900, NEW.value, NULL));
    INSERT INTO long (key, value)
    SELECT NEW.key, NEW.value
    WHERE (length(NEW.key) + length(NEW.value) <= 900) IS NOT TRUE;
END;

CREATE TRIGGER kv_update INSTEAD OF UPDATE ON kv BEGIN
    DELETE FROM short WHERE key = OLD.key;
    DELETE FROM long WHERE key = OLD.key;
    INSERT INTO kv (key, value) VALUES (NEW.key, NEW.value);
END;

CREATE TRIGGER kv_delete INSTEAD OF DELETE ON kv BEGIN
    DELETE FROM short WHERE key = OLD.key;
    DELETE FROM long WHERE key = OLD.key;
END;

-- One row for each record of a session's journal; what is no JSON shows as NULL. A large text is
-- stored once, by its hash, and stands in the record by that.
CREATE VIEW entries AS
SELECT
    session,
    seq,
    datetime(record ->> '$.at' / 1000.0, 'unixepoch') AS at,
    record ->> '$.type' AS type,
    coalesce(
        (
            SELECT CAST(content.value AS TEXT) FROM kv AS content
            WHERE content.key = 'blob/' || substr(record ->> '$.message.parts[0].text', 13)
        ),
        record ->> '$.message.parts[0].text'
    ) AS text,
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
